//! Where the workspace is, and what cargo knows about it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// The folder that holds the workspace.
pub(crate) fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// The folder of what is built.
pub(crate) fn target() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    root().join(named.unwrap_or_else(|| "target".into()))
}

/// Cargo, as the one that started this program.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The files below `folder` whose name ends in `.` and `extension`, in order; what is built or
/// hidden is left out.
///
/// # Errors
/// If a folder cannot be read.
pub(crate) fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{folder:?}: {error}"))?;
        for entry in entries {
            let path = entry
                .map_err(|error| format!("{folder:?}: {error}"))?
                .path();
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_none_or(|name| name == "target" || name.starts_with('.')) {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The packages of the workspace and everything that they are built from.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// The workspace's own packages, by name.
    pub(crate) members: BTreeSet<String>,
    /// What each package is built from directly, by name; neither tests nor build scripts.
    pub(crate) dependencies: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Asks cargo.
    ///
    /// # Errors
    /// If cargo cannot say.
    pub(crate) fn load() -> Result<Self, String> {
        let output = cargo()
            .args(["metadata", "--format-version", "1", "--all-features"])
            .output()
            .map_err(|error| format!("cargo metadata: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let metadata = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("cargo metadata: {error}"))?;
        Ok(Self::read(&metadata))
    }

    fn read(metadata: &Value) -> Self {
        let names: BTreeMap<&str, &str> = list(&metadata["packages"])
            .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
            .collect();
        let name = |id: &Value| Some((*names.get(id.as_str()?)?).to_owned());
        let mut graph = Self {
            members: list(&metadata["workspace_members"])
                .filter_map(name)
                .collect(),
            ..Self::default()
        };
        for node in list(&metadata["resolve"]["nodes"]) {
            let Some(package) = name(&node["id"]) else {
                continue;
            };
            let normal = list(&node["deps"]).filter(|dependency| is_normal(dependency));
            let names = normal.filter_map(|dependency| name(&dependency["pkg"]));
            // Two versions of one package count as one: what either brings in is brought in.
            graph.dependencies.entry(package).or_default().extend(names);
        }
        graph
    }

    /// Everything that `package` is built from, near and far.
    pub(crate) fn closure(&self, package: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![package];
        while let Some(next) = open.pop() {
            for dependency in self.dependencies.get(next).into_iter().flatten() {
                if reached.insert(dependency.as_str()) {
                    open.push(dependency);
                }
            }
        }
        reached
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Whether a dependency is part of the library itself: its kind is then not named.
fn is_normal(dependency: &Value) -> bool {
    list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Value {
        serde_json::json!({
            "packages": [
                {"id": "1", "name": "ours"}, {"id": "2", "name": "near"},
                {"id": "3", "name": "far"}, {"id": "4", "name": "for-tests"},
            ],
            "workspace_members": ["1"],
            "resolve": {"nodes": [
                {"id": "1", "deps": [
                    {"pkg": "2", "dep_kinds": [{"kind": null}]},
                    {"pkg": "4", "dep_kinds": [{"kind": "dev"}]},
                ]},
                {"id": "2", "deps": [{"pkg": "3", "dep_kinds": [{"kind": null}]}]},
                {"id": "3", "deps": []},
            ]},
        })
    }

    #[test]
    fn dependencies_are_followed_near_and_far_but_not_into_tests() {
        let graph = Graph::read(&metadata());
        assert_eq!(graph.members, BTreeSet::from(["ours".to_owned()]));
        assert_eq!(graph.closure("ours"), BTreeSet::from(["near", "far"]));
    }
}
