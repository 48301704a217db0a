//! What a certificate on disk says: who it is for, and until when.

use std::path::Path;

use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;

use super::files;
use crate::error::Error;

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The URI of its holder.
    pub uri: String,
    /// The moment after which nobody accepts it.
    pub not_after: OffsetDateTime,
}

impl Certificate {
    /// Reads the first certificate of a PEM file.
    ///
    /// # Errors
    /// If the file cannot be read or its certificate names nobody.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = files::read(path)?;
        Self::parse(&text).map_err(|why| Error::Malformed {
            path: path.to_path_buf(),
            why,
        })
    }

    /// Whole days that are left; negative once it has expired.
    #[must_use]
    pub fn days_left(&self, now: OffsetDateTime) -> i64 {
        (self.not_after - now).whole_seconds().div_euclid(86_400)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let unreadable = |error: &dyn std::fmt::Display| format!("is no certificate: {error}");
        let (_, pem) = parse_x509_pem(text.as_bytes()).map_err(|error| unreadable(&error))?;
        let cert = pem.parse_x509().map_err(|error| unreadable(&error))?;
        let names = cert
            .subject_alternative_name()
            .map_err(|error| unreadable(&error))?;
        let uri = names
            .iter()
            .flat_map(|names| &names.value.general_names)
            .find_map(|name| match name {
                GeneralName::URI(uri) => Some((*uri).to_owned()),
                _ => None,
            })
            .ok_or("its certificate names nobody: it has no URI")?;
        Ok(Self {
            uri,
            not_after: cert.validity().not_after.to_datetime(),
        })
    }
}
