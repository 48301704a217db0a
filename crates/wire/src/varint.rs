//! Lengths as little-endian base-128 numbers of at most five bytes, in their shortest form only.

use bytes::{Buf, BufMut};

use crate::DecodeError;

const CONTINUES: u8 = 0x80;
const LAST_SHIFT: u32 = 28;

pub(crate) fn put(out: &mut impl BufMut, mut value: u32) {
    while value >= u32::from(CONTINUES) {
        out.put_u8((value & 0x7f) as u8 | CONTINUES);
        value >>= 7;
    }
    out.put_u8((value & 0x7f) as u8);
}

pub(crate) const fn len(value: u32) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        0x20_0000..=0xfff_ffff => 4,
        _ => 5,
    }
}

pub(crate) fn get(what: &'static str, input: &mut impl Buf) -> Result<u32, DecodeError> {
    let mut value = 0;
    for shift in (0..=LAST_SHIFT).step_by(7) {
        if !input.has_remaining() {
            return Err(DecodeError::Truncated {
                what,
                needed: 1,
                available: 0,
            });
        }
        let byte = input.get_u8();
        let digits = u32::from(byte & 0x7f);
        if shift == LAST_SHIFT && byte > 0x0f {
            return Err(DecodeError::Invalid {
                what,
                why: "the number does not fit 32 bits",
            });
        }
        value |= digits << shift;
        if byte & CONTINUES == 0 {
            if byte == 0 && shift > 0 {
                return Err(DecodeError::Invalid {
                    what,
                    why: "not the shortest form",
                });
            }
            return Ok(value);
        }
    }
    Err(DecodeError::Invalid {
        what,
        why: "the number does not end",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_round_trips_in_its_announced_length(value: u32) {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            prop_assert_eq!(bytes.len(), len(value));
            prop_assert_eq!(get("number", &mut bytes.as_slice()), Ok(value));
        }
    }

    #[test]
    fn longer_forms_overflow_and_endless_numbers_are_refused() {
        for bytes in [
            &[0x80, 0x00][..],
            &[0xff, 0xff, 0xff, 0xff, 0x10],
            &[0x80; 6],
            &[],
        ] {
            assert!(get("number", &mut &*bytes).is_err(), "{bytes:?}");
        }
    }
}
