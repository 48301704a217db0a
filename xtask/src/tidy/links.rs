//! Links between the pages of the documentation, which lead to files that exist.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::workspace;

/// What breaks a rule.
///
/// # Errors
/// If a page cannot be read.
pub(super) fn findings() -> Result<Vec<String>, String> {
    let root = workspace::root();
    let mut findings = Vec::new();
    for page in workspace::files(&root, "md")? {
        let text = fs::read_to_string(&page).map_err(|error| format!("{page:?}: {error}"))?;
        let folder = page.parent().unwrap_or(&root);
        for target in targets(&text) {
            if !exists(folder, target) {
                let page = page.strip_prefix(&root).unwrap_or(&page).display();
                findings.push(format!("{page} links to {target}, which is not there"));
            }
        }
    }
    Ok(findings)
}

/// What the links of a page lead to, as far as it lies in this workspace.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://"))
}

fn exists(folder: &Path, target: &str) -> bool {
    let path: PathBuf = folder.join(target);
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_leads_somewhere() {
        assert_eq!(findings().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn links_into_the_workspace_are_found_and_others_are_not() {
        let page = "[a](one.md) [b](two.md#part) [c](#here) [d](https://example.org/x.md)";
        assert_eq!(targets(page).collect::<Vec<_>>(), ["one.md", "two.md"]);
        assert!(!exists(&workspace::root(), "no-such-page.md"));
    }
}
