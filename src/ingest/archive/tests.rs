//! Proves what archives and packed files hold, and what is said of broken ones.

use std::io::Write;

use super::*;

/// A zip archive with `members`, in the folder.
fn zip(folder: &Path, members: &[(&str, &[u8])]) -> PathBuf {
    let path = folder.join("x.zip");
    let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
    for (name, bytes) in members {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
    path
}

fn packed(path: PathBuf, member: Option<&str>, form: Form) -> Packed {
    Packed { name: "x".to_owned(), path, member: member.map(str::to_owned), form }
}

fn content(packed: &Packed) -> Result<Vec<u8>> {
    packed.open(|bytes| {
        let mut content = Vec::new();
        bytes.read_to_end(&mut content).map_err(|error| packed.failed(&error))?;
        Ok(content)
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Packed with a checksum, as the command-line tool does.
fn checked_zstd(bytes: &[u8]) -> Vec<u8> {
    let mut packer = zstd::Encoder::new(Vec::new(), 1).unwrap();
    packer.include_checksum(true).unwrap();
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Text that does not shrink to nothing.
fn long_text() -> Vec<u8> {
    (0..200_000_u32)
        .flat_map(|number| format!("{:x},", number.wrapping_mul(2_654_435_761)).into_bytes())
        .collect()
}

#[test]
fn endings_tell_the_form_in_any_case() {
    for (name, form) in [
        ("a.csv", Some(Form::Csv)),
        ("A.CSV.GZ", Some(Form::Gzip)),
        ("a.b.Csv.Zst", Some(Form::Zstd)),
        ("dir/a.XLSX", Some(Form::Workbook)),
        ("a.zip", Some(Form::Zip)),
        ("a.gz", None),
        ("a.csv.part", None),
        ("csv", None),
        ("é.txt", None),
    ] {
        assert_eq!(Form::of(name), form, "{name}");
    }
}

#[test]
fn content_is_the_same_however_it_is_packed() {
    let folder = tempfile::tempdir().unwrap();
    let text = long_text();
    let (half, rest) = text.split_at(text.len() / 2);
    let members = [gzip(half), gzip(rest)].concat();
    let (gz, zst) = (folder.path().join("x.csv.gz"), folder.path().join("x.csv.zst"));
    std::fs::write(&gz, &members).unwrap();
    std::fs::write(&zst, [zstd::encode_all(half, 1).unwrap(), zstd::encode_all(rest, 1).unwrap()].concat())
        .unwrap();
    let archive = zip(folder.path(), &[("x.csv", &text), ("x.csv.gz", &members)]);
    for packed in [
        packed(gz, None, Form::Gzip),
        packed(zst, None, Form::Zstd),
        packed(archive.clone(), Some("x.csv"), Form::Csv),
        packed(archive.clone(), Some("x.csv.gz"), Form::Gzip),
    ] {
        assert!(content(&packed).unwrap() == text, "{packed:?}");
    }
    let member = packed(archive, Some("x.csv"), Form::Csv);
    let place =
        member.as_file(|path| Ok(std::fs::read(path).unwrap() == text).map(|same| (same, path.to_owned())));
    let (same, path) = place.unwrap();
    assert!(same && !path.exists());
}

#[test]
fn what_ends_early_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let text = long_text();
    let archive = zip(folder.path(), &[("x.csv", &text)]);
    for (bytes, member, form) in [
        (gzip(&text), None, Form::Gzip),
        (zstd::encode_all(&text[..], 1).unwrap(), None, Form::Zstd),
        (std::fs::read(archive).unwrap(), Some("x.csv"), Form::Csv),
    ] {
        let path = folder.path().join("cut");
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let error = content(&packed(path, member, form)).unwrap_err().to_string();
        assert!(error.starts_with("`x` ends early: a part of it is missing\nhint: "), "{form:?}: {error}");
    }
}

#[test]
fn what_is_damaged_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let text = long_text();
    let archive = zip(folder.path(), &[("x.csv", &text)]);
    for (mut bytes, member, form) in [
        (gzip(&text), None, Form::Gzip),
        (checked_zstd(&text), None, Form::Zstd),
        (std::fs::read(archive).unwrap(), Some("x.csv"), Form::Csv),
        (b"no archive at all".to_vec(), None, Form::Gzip),
        (b"no archive at all".to_vec(), None, Form::Zstd),
    ] {
        let middle = bytes.len() / 2;
        bytes[middle..].iter_mut().take(64).for_each(|byte| *byte ^= 0x5a);
        let path = folder.path().join("damaged");
        std::fs::write(&path, &bytes).unwrap();
        let error = content(&packed(path, member, form)).unwrap_err().to_string();
        assert!(error.starts_with("`x` is damaged: "), "{form:?}: {error}");
    }
}

#[test]
fn an_archive_must_hold_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let noise: [(&str, &[u8]); 4] =
        [("__MACOSX/._x.csv", b""), (".x.csv", b""), ("readme.txt", b""), ("y.zip", b"")];
    let path = zip(folder.path(), &noise);
    let error = only("x.zip", &path).unwrap_err().to_string();
    assert!(error.starts_with("`x.zip` holds no file that can be read\nhint: "), "{error}");

    let path = zip(folder.path(), &[&noise[..], &[("in/data.CSV", b"x")]].concat());
    assert_eq!(only("x.zip", &path).unwrap(), "in/data.CSV");

    let path = zip(folder.path(), &[("a/data.csv", b"x"), ("b/data.csv", b"x"), ("book.xlsx", b"x")]);
    assert_eq!(
        only("x.zip", &path).unwrap_err().to_string(),
        "`x.zip` holds 3 files that could be meant\n  `a/data.csv`, `b/data.csv`, `book.xlsx`\n\
         hint: name one of them, as in `x.zip!a/data.csv`"
    );
    assert_eq!(member("x.zip", &path, "b/data.csv").unwrap(), "b/data.csv");
    assert_eq!(
        member("x.zip", &path, "bok.xlsx").unwrap_err().to_string(),
        "`x.zip` holds no `bok.xlsx` that can be read\n  it holds `a/data.csv`, `b/data.csv`, `book.xlsx`\n\
         hint: did you mean `x.zip!book.xlsx`?"
    );
    assert!(member("x.zip", &path, "data.csv").is_err(), "two members are called so");
}

#[test]
fn a_name_alone_makes_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zip");
    std::fs::write(&path, "<html>not found</html>").unwrap();
    let error = only("x.zip", &path).unwrap_err().to_string();
    assert!(error.starts_with("`x.zip` is not a zip archive\n"), "{error}");
}
