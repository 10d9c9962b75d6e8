//! Where things lie. All that is written lies below `target/local/`.

use std::fmt::Write;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The root of the repository.
pub fn repository() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// What all instances of the local AWS have in common: tools, caches.
pub fn local() -> PathBuf {
    repository().join("target/local")
}

/// The folder of one instance of the local AWS, held while this value lives.
pub struct Place {
    folder: PathBuf,
    _lock: File,
}

impl Place {
    /// The place of the one instance that `make up` starts.
    pub fn of_the_developer() -> Result<Self> {
        match Self::take(local())? {
            Some(place) => Ok(place),
            None => bail!("another `local` command is at work in `target/local`: wait for it"),
        }
    }

    /// A place that no other test run uses. The folders are taken again by later runs,
    /// which find there what `cdk` has packed already.
    pub fn of_a_test_run() -> Result<Self> {
        for number in 1.. {
            if let Some(place) = Self::take(local().join(format!("test-{number}")))? {
                return Ok(place);
            }
        }
        bail!("every place for a test run is taken")
    }

    fn take(folder: PathBuf) -> Result<Option<Self>> {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make `{}`", folder.display()))?;
        let path = folder.join("lock");
        let lock =
            File::create(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { folder, _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock `{}`", path.display()))
            }
        }
    }

    /// A file or folder in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Waits until no other process has the lock of this name, and keeps it while the file lives.
pub(crate) fn lock(name: &str) -> Result<File> {
    let path = local().join(format!("{name}.lock"));
    std::fs::create_dir_all(local())
        .and_then(|()| File::create(&path))
        .and_then(|file| file.lock().map(|()| file))
        .with_context(|| format!("cannot lock `{}`", path.display()))
}

/// Writes a file of credentials with the profile `of-<account>` for each account's root.
pub fn write_profiles(path: &Path, accounts: &[&str]) -> Result<()> {
    let profiles = accounts.iter().map(|account| {
        format!("[of-{account}]\naws_access_key_id = {account}\naws_secret_access_key = local\n")
    });
    std::fs::write(path, profiles.collect::<String>())
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// Reads a JSON file, or nothing where there is none.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .with_context(|| format!("cannot understand `{}`", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// Writes a JSON file, whole or not at all.
pub fn write_json(path: &Path, content: &impl Serialize) -> Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, serde_json::to_string_pretty(content)? + "\n")
        .and_then(|()| std::fs::rename(&new, path))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// All files below `folder`, sorted, without those in folders that `skip` names.
pub fn files_below(folder: &Path, skip: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot read `{}`", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            if skip.iter().any(|name| entry.file_name().as_encoded_bytes() == name.as_bytes()) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Tells whether files changed: their names, sizes and times, as make would.
pub fn fingerprint(files: &[PathBuf]) -> Result<String> {
    let mut hasher = sha2::Sha256::default();
    for file in files {
        let metadata = std::fs::metadata(file)
            .with_context(|| format!("cannot look at `{}`", file.display()))?;
        let changed = metadata.modified()?.duration_since(UNIX_EPOCH)?;
        let line = format!("{} {} {}\n", file.display(), metadata.len(), changed.as_nanos());
        sha2::Digest::update(&mut hasher, line.as_bytes());
    }
    Ok(hex(sha2::Digest::finalize(hasher).as_slice()))
}

/// The SHA-256 of some bytes, in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(<sha2::Sha256 as sha2::Digest>::digest(bytes).as_slice())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
