//! The users file: who may come in, by which password, and what they may read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion_postgres::pgwire::api::auth::sasl::scram::{gen_salted_password, random_nonce};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::config::parse;
use crate::contract::Layer;
use crate::error::{Error, Result, io_error};

/// How often a password is hashed: eight times what PostgreSQL does. A client does it once a connection, and all accept
/// it.
pub const ITERATIONS: usize = 32_768;

/// How a hashed password begins, before the iterations.
const METHOD: &str = "SCRAM-SHA-256$";

/// What a client may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Who it is.
    pub name: String,
    /// The layers that it may read.
    pub layers: BTreeSet<Layer>,
}

/// The users of a project, read anew when their file changes.
pub struct Users {
    path: PathBuf,
    read: RwLock<Read>,
    /// Once there were users, nobody comes in without being one, even if their file is gone.
    is_guarded: AtomicBool,
}

/// A users file as it was when it was read.
#[derive(Clone, Default)]
struct Read {
    state: Option<(SystemTime, u64)>,
    users: Arc<BTreeMap<String, User>>,
    /// What made-up salts are made of: it stays the same while the file does, and nobody can guess it.
    secret: Vec<u8>,
}

/// One user.
struct User {
    secret: Secret,
    layers: BTreeSet<Layer>,
}

/// A password as it is kept: `SaltedPassword` of RFC 5802, and its salt.
#[derive(Clone)]
struct Secret {
    salt: Vec<u8>,
    key: Vec<u8>,
}

/// A table of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    password: String,
    layers: Option<Vec<String>>,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Users({})", self.path.display())
    }
}

impl Users {
    /// The users that a file names; a missing file names none.
    pub fn load(path: &Path) -> Result<Users> {
        let read = read(path)?;
        let is_guarded = AtomicBool::new(!read.users.is_empty());
        Ok(Users { path: path.into(), read: RwLock::new(read), is_guarded })
    }

    /// Whether there have been no users so far: then nobody is asked who he is.
    pub fn is_empty(&self) -> bool {
        self.newest();
        !self.is_guarded.load(Ordering::Relaxed)
    }

    /// Who comes in where no users are named.
    pub fn anyone() -> Role {
        Role { name: "lake".into(), layers: Layer::ALL.into() }
    }

    /// What a user may read.
    pub fn role(&self, name: &str) -> Option<Role> {
        let layers = self.newest().users.get(name)?.layers.clone();
        Some(Role { name: name.into(), layers })
    }

    /// All users, by name.
    pub fn roles(&self) -> Vec<Role> {
        let read = self.newest();
        let role = |(name, user): (&String, &User)| Role { name: name.clone(), layers: user.layers.clone() };
        read.users.iter().map(role).collect()
    }

    /// The role of a user who gives his password; none for a wrong password or an unknown user, after equal work.
    pub async fn verify(&self, name: &str, password: &str) -> Option<Role> {
        let (salt, key) = self.secret(name);
        let password = password.to_string();
        let given = tokio::task::spawn_blocking(move || gen_salted_password(&password, &salt, ITERATIONS))
            .await
            .ok()?;
        if is_equal(&given, &key) { self.role(name) } else { None }
    }

    /// The salt of a user, and his password hashed with it. Those of an unknown user are made up from his name, so
    /// that names cannot be tried out.
    pub(super) fn secret(&self, name: &str) -> (Vec<u8>, Vec<u8>) {
        let read = self.newest();
        if let Some(user) = read.users.get(name) {
            return (user.secret.salt.clone(), user.secret.key.clone());
        }
        let made_up = |what: &str| {
            let digest = Sha256::new().chain_update(&read.secret).chain_update(what).chain_update(name);
            digest.finalize().to_vec()
        };
        let mut salt = made_up("salt");
        salt.truncate(SALT);
        (salt, made_up("key"))
    }

    /// Adds a user to the file.
    pub fn add(&self, name: &str, password: &str, layers: Option<&BTreeSet<Layer>>) -> Result<()> {
        check_name(name)?;
        if password.is_empty() {
            return Err(Error::invalid("the password is empty")
                .hint("type one at a terminal, or write one to standard input with `--password-stdin`"));
        }
        let mut text = text_of(&self.path)?;
        if read(&self.path)?.users.contains_key(name) {
            return Err(Error::invalid(format!("there is a user `{name}` already"))
                .hint(format!("`lake user remove {name}` removes the one there is")));
        }
        if !text.is_empty() {
            text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
        }
        text.push_str(&format!("[{name}]\npassword = \"{}\"\n", Secret::new(password).to_text()));
        if let Some(layers) = layers {
            let layers: Vec<String> = layers.iter().map(|layer| format!("\"{}\"", layer.as_str())).collect();
            text.push_str(&format!("layers = [{}]\n", layers.join(", ")));
        }
        self.is_guarded.store(true, Ordering::Relaxed);
        save(&self.path, &text)
    }

    /// Removes a user from the file; comments of others stay.
    pub fn remove(&self, name: &str) -> Result<()> {
        let users = read(&self.path)?.users;
        if !users.contains_key(name) {
            let error = Error::invalid(format!("there is no user `{name}`"));
            return Err(crate::config::with_nearest(error, name, users.keys().map(String::as_str)));
        }
        let text = text_of(&self.path)?;
        let text = without(&text, name).ok_or_else(|| {
            Error::invalid(format!(
                "`{}` does not write `[{name}]` on a line of its own",
                self.path.display()
            ))
            .hint("remove the user from it by hand")
        })?;
        save(&self.path, &text)
    }

    /// What the file says now. A file that cannot be read says what it said before.
    fn newest(&self) -> Read {
        let known = self.read.read().unwrap_or_else(PoisonError::into_inner).clone();
        if state(&self.path) == known.state {
            return known;
        }
        match read(&self.path) {
            Ok(newest) => {
                if !newest.users.is_empty() {
                    self.is_guarded.store(true, Ordering::Relaxed);
                }
                *self.read.write().unwrap_or_else(PoisonError::into_inner) = newest.clone();
                newest
            }
            Err(error) => {
                tracing::warn!(%error, "the users file cannot be read: who was known before still is");
                known
            }
        }
    }
}

/// Bytes of a salt.
const SALT: usize = 16;

impl Secret {
    /// A password with a salt of its own.
    fn new(password: &str) -> Secret {
        // A nonce is a text of 24 letters and digits made by chance; its hash has chance in every byte.
        let mut salt = Sha256::digest(random_nonce()).to_vec();
        salt.truncate(SALT);
        let key = gen_salted_password(password, &salt, ITERATIONS);
        Secret { salt, key }
    }

    fn to_text(&self) -> String {
        let (salt, key) = (STANDARD.encode(&self.salt), STANDARD.encode(&self.key));
        format!("{METHOD}{ITERATIONS}:{salt}${key}")
    }

    /// Reads `SCRAM-SHA-256$<iterations>:<salt>$<key>`.
    fn parse(text: &str) -> Result<Secret> {
        let strange = || {
            Error::invalid("it is no password as `lake user add` writes it")
                .hint("remove the user from the file, and add him again with `lake user add`")
        };
        let (iterations, rest) =
            text.strip_prefix(METHOD).and_then(|text| text.split_once(':')).ok_or_else(strange)?;
        let (salt, key) = rest.split_once('$').ok_or_else(strange)?;
        let iterations: usize = iterations.parse().map_err(|_| strange())?;
        if iterations != ITERATIONS {
            return Err(Error::invalid(format!(
                "the password is hashed {iterations} times, and all must be hashed {ITERATIONS} times"
            ))
            .hint("remove the user from the file, and add him again with `lake user add`"));
        }
        let (salt, key) = (STANDARD.decode(salt), STANDARD.decode(key));
        match (salt, key) {
            (Ok(salt), Ok(key)) if !salt.is_empty() && key.len() == 32 => Ok(Secret { salt, key }),
            _ => Err(strange()),
        }
    }
}

/// Reads a users file.
fn read(path: &Path) -> Result<Read> {
    let state = state(path);
    let text = text_of(path)?;
    let entries: BTreeMap<String, Entry> = parse(path, &text)?;
    let mut users = BTreeMap::new();
    for (name, entry) in entries {
        let place = |error: Error| error.detail(format!("user `{name}` in {}", path.display()));
        let secret = Secret::parse(&entry.password).map_err(place)?;
        let layers = match &entry.layers {
            None => Layer::ALL.into(),
            Some(layers) => {
                layers.iter().map(|layer| layer_of(layer)).collect::<Result<_>>().map_err(place)?
            }
        };
        users.insert(name, User { secret, layers });
    }
    let mut secret = Sha256::new();
    users.values().for_each(|user| secret.update(&user.secret.key));
    Ok(Read { state, users: Arc::new(users), secret: secret.finalize().to_vec() })
}

/// The layer of a name.
pub fn layer_of(name: &str) -> Result<Layer> {
    Layer::ALL.into_iter().find(|layer| layer.as_str() == name).ok_or_else(|| {
        let error = Error::invalid(format!("there is no layer `{name}`"));
        crate::config::with_nearest(error, name, Layer::ALL.iter().map(|layer| layer.as_str()))
    })
}

/// What changes when a file does.
fn state(path: &Path) -> Option<(SystemTime, u64)> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

fn text_of(path: &Path) -> Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(io_error("read", path, &e)),
    }
}

/// Writes a users file whole or not at all; only its owner may read it.
fn save(path: &Path, text: &str) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(|e| io_error("make", folder, &e))?;
    // Temporary files have mode 0600 where they are not told otherwise.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| io_error("write to", folder, &e))?;
    file.write_all(text.as_bytes()).map_err(|e| io_error("write", path, &e))?;
    file.persist(path).map_err(|e| io_error("write", path, &e.error))?;
    Ok(())
}

/// A user's name is a bare key of TOML, and needs no quotes in SQL or a shell.
fn check_name(name: &str) -> Result<()> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    match begins && name.len() <= 63 && name.bytes().all(is_plain) {
        true => Ok(()),
        false => Err(Error::invalid(format!("a user cannot be called `{name}`"))
            .hint("a name has at most 63 letters, digits, `_` and `-`, and begins with a letter")),
    }
}

/// The text without the table of a name; comments right above the next table belong to that.
fn without(text: &str, name: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let header = format!("[{name}]");
    let begin = lines.iter().position(|line| line.trim() == header)?;
    let next = lines[begin + 1..].iter().position(|line| line.trim_start().starts_with('['));
    let mut end = next.map_or(lines.len(), |next| begin + 1 + next);
    while end < lines.len() && end > begin + 1 && lines[end - 1].trim_start().starts_with('#') {
        end -= 1;
    }
    let kept: Vec<&str> = lines[..begin].iter().chain(&lines[end..]).copied().collect();
    let kept = kept.join("\n");
    let kept = kept.trim_end();
    Some(if kept.is_empty() { String::new() } else { format!("{kept}\n") })
}

/// Whether two texts of bytes are equal, in a time that does not tell where they differ.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    //! Proves who comes in, and that the file keeps what others wrote into it.

    use super::*;

    fn layers(names: &[&str]) -> BTreeSet<Layer> {
        names.iter().map(|name| layer_of(name).unwrap()).collect()
    }

    fn empty() -> (tempfile::TempDir, Users) {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::load(&folder.path().join("config/users.toml")).unwrap();
        (folder, users)
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_opens() {
        let (_folder, users) = empty();
        assert!(users.is_empty());
        users.add("ann", "open sesame", Some(&layers(&["gold"]))).unwrap();
        users.add("bob", "x", None).unwrap();
        assert!(!users.is_empty(), "the file is read anew");
        let ann = users.verify("ann", "open sesame").await.unwrap();
        assert_eq!(ann, Role { name: "ann".into(), layers: layers(&["gold"]) });
        assert_eq!(users.role("bob").unwrap().layers, Layer::ALL.into());
        for (name, password) in [("ann", "open sesam"), ("ann", ""), ("bob", "open sesame"), ("eve", "x")] {
            assert_eq!(users.verify(name, password).await, None, "{name} {password}");
        }
    }

    #[test]
    fn unknown_users_cannot_be_told_from_known_ones() {
        let (_folder, users) = empty();
        users.add("ann", "x", None).unwrap();
        let (known, unknown) = (users.secret("ann"), users.secret("eve"));
        assert_eq!((known.0.len(), known.1.len()), (unknown.0.len(), unknown.1.len()));
        assert_eq!(users.secret("eve"), unknown, "a made-up salt stays the same");
        assert_ne!(users.secret("eva").0, unknown.0);
    }

    #[test]
    fn a_file_keeps_the_comments_of_others() {
        let (folder, users) = empty();
        let path = folder.path().join("config/users.toml");
        users.add("ann", "x", None).unwrap();
        users.add("bob", "y", Some(&layers(&["gold", "silver"]))).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("[bob]", "# the other one\n[bob]")).unwrap();
        users.remove("ann").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# the other one\n[bob]\npassword = \"SCRAM-SHA-256$32768:"), "{text}");
        assert!(text.ends_with("layers = [\"silver\", \"gold\"]\n"), "{text}");
        users.remove("bob").unwrap();
        assert!(users.roles().is_empty());
        assert!(!users.is_empty(), "the door does not open to all when the last user is gone");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, users) = empty();
        users.add("ann", "x", None).unwrap();
        let file = std::fs::metadata(folder.path().join("config/users.toml")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_wrong_with_a_user_is_said() {
        let (folder, users) = empty();
        let said = |error: Error| error.to_string();
        assert!(said(users.add("a b", "x", None).unwrap_err()).contains("cannot be called `a b`"));
        assert!(said(users.add("ann", "", None).unwrap_err()).contains("the password is empty"));
        users.add("ann", "x", None).unwrap();
        assert!(said(users.add("ann", "x", None).unwrap_err()).contains("there is a user `ann` already"));
        assert!(said(users.remove("anne").unwrap_err()).contains("did you mean `ann`?"));
        let path = folder.path().join("config/users.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("$32768:", "$4096:")).unwrap();
        let error = Users::load(&path).unwrap_err().to_string();
        assert!(error.contains("hashed 4096 times") && error.contains("user `ann`"), "{error}");
        std::fs::write(&path, text.replace("password", "pasword")).unwrap();
        assert!(Users::load(&path).unwrap_err().to_string().contains("did you mean `password`?"));
    }
}
