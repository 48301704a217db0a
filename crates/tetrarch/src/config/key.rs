//! The declaration of a setting, as the reference and the written file show it.

/// What holds if a setting is not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Default {
    /// It must be given.
    Required,
    /// Nothing.
    Unset {
        /// What that means.
        meaning: &'static str,
        /// What could be written in the file, after the name.
        example: &'static str,
    },
    /// This, as it would be written in the file.
    Value(String),
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The section; `None` for a section that is itself one setting.
    pub section: Option<&'static str>,
    /// Its name.
    pub name: &'static str,
    /// What may be given.
    pub kind: String,
    /// What holds otherwise.
    pub default: Default,
    /// What it means.
    pub about: &'static str,
}

impl Key {
    /// `section.name`, as problems name it.
    #[must_use]
    pub fn path(&self) -> String {
        match self.section {
            Some(section) => format!("{section}.{}", self.name),
            None => self.name.to_owned(),
        }
    }

    /// The section to which it belongs, or that it is.
    #[must_use]
    pub fn section_name(&self) -> &'static str {
        self.section.unwrap_or(self.name)
    }

    /// The variable that overrides it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("TETRARCH_{}", self.path().replace('.', "_").to_uppercase())
    }
}
