//! Proves that broken connections are resumed or restarted, and failures are told apart.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::thread::JoinHandle;

use super::*;

/// Sends the answers, one per connection, and gives the requests that they answered.
fn server(answers: Vec<Vec<u8>>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        let answer = |bytes: Vec<u8>| {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(|line| line.ok());
            let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            stream.write_all(&bytes).unwrap();
            request.join("\n").to_lowercase()
        };
        answers.into_iter().map(answer).collect()
    };
    (address, std::thread::spawn(serve))
}

/// An answer whose head promises what `head` says, with `body` behind it.
fn answer(status: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let head = head.replace('\n', "\r\n");
    [format!("HTTP/1.1 {status}\r\nConnection: close\r\n{head}\r\n\r\n").as_bytes(), body].concat()
}

fn content() -> Vec<u8> {
    (0..300_000_u32).map(|number| (number % 251) as u8).collect()
}

async fn fetch(url: &str, folder: &Path, progress: Progress<'_>) -> Result<PathBuf> {
    let client = Client::builder().no_proxy().build().unwrap();
    let patience = Patience { attempts: 5, first_wait: Duration::from_millis(1) };
    Download::new(client, url, folder, progress)?.run(patience).await
}

/// The file's name and bytes, and the requests; nothing else may be left in the folder.
async fn fetched(path: &str, answers: Vec<Vec<u8>>) -> (Result<(String, Vec<u8>)>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (address, requests) = server(answers);
    let found = fetch(&format!("{address}{path}"), folder.path(), &|_, _| {}).await;
    let found = found.map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read(path).unwrap())
    });
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, usize::from(found.is_ok()));
    (found, requests.join().unwrap())
}

#[tokio::test]
async fn a_file_is_named_after_its_address() {
    let text = answer("200 OK", "Content-Length: 5", b"A,B\n1");
    let (found, requests) = fetched("/in/on%20line+retail.csv?x=1", vec![text]).await;
    assert_eq!(found.unwrap(), ("on line+retail.csv".to_owned(), b"A,B\n1".to_vec()));
    assert!(!requests[0].contains("range:") && requests[0].contains("accept-encoding: identity"));
}

#[tokio::test]
async fn the_server_may_name_the_file_but_not_its_folder() {
    for (head, name) in [
        ("Content-Disposition: attachment; filename=\"../../etc/x.csv\"", "x.csv"),
        ("Content-Disposition: attachment; filename=\"a.csv\"; filename*=UTF-8''%C2%A3%2Fb.csv", "b.csv"),
        ("Content-Type: text/csv; charset=utf-8", "export.csv"),
        ("Content-Type: application/zip", "export.zip"),
        ("Content-Disposition: inline; filename=.csv\nContent-Type: application/gzip", "csv.csv.gz"),
    ] {
        let (found, _) = fetched("/export", vec![answer("200 OK", head, b"x")]).await;
        assert_eq!(found.unwrap().0, name, "{head}");
    }
}

#[tokio::test]
async fn a_file_of_unknown_kind_is_refused() {
    let (found, _) = fetched("/", vec![answer("200 OK", "Content-Type: text/html", b"<html>")]).await;
    let error = found.unwrap_err().to_string();
    assert!(error.starts_with("cannot tell what kind of file `http://127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_broken_download_is_taken_up_where_it_broke() {
    let all = content();
    let head = "ETag: \"v1\"\nContent-Length: 300000";
    let part = "ETag: \"v1\"\nContent-Length: 200000\nContent-Range: bytes 100000-299999/300000";
    let answers =
        vec![answer("200 OK", head, &all[..100_000]), answer("206 Partial Content", part, &all[100_000..])];
    let (found, requests) = fetched("/x.csv", answers).await;
    assert!(found.unwrap().1 == all);
    assert!(requests[1].contains("range: bytes=100000-") && requests[1].contains("if-range: \"v1\""));
}

#[tokio::test]
async fn a_download_begins_anew_when_it_cannot_be_taken_up() {
    let all = content();
    let length = "Content-Length: 300000";
    let changed = format!("ETag: \"v2\"\n{length}");
    for (first, second) in
        [(length.to_owned(), length), (format!("ETag: \"v1\"\n{length}"), changed.as_str())]
    {
        let answers = vec![answer("200 OK", &first, &vec![b'x'; 100_000]), answer("200 OK", second, &all)];
        let (found, requests) = fetched("/x.csv", answers).await;
        assert!(found.unwrap().1 == all);
        assert_eq!(requests[1].contains("range: "), first.contains("ETag"));
    }
}

#[tokio::test]
async fn the_wrong_part_is_not_joined() {
    let all = content();
    let head = "Last-Modified: Wed, 01 Dec 2010 08:26:00 GMT\nContent-Length: 300000";
    let part = "Content-Length: 299999\nContent-Range: bytes 1-299999/300000";
    let answers = vec![
        answer("200 OK", head, &all[..100_000]),
        answer("206 Partial Content", part, &all[1..]),
        answer("200 OK", head, &all),
    ];
    let (found, requests) = fetched("/x.csv", answers).await;
    assert!(found.unwrap().1 == all);
    assert!(
        requests[1].contains("if-range: wed, 01 dec 2010 08:26:00 gmt") && !requests[2].contains("range: ")
    );
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again() {
    let answers =
        vec![answer("503 Service Unavailable", "Retry-After: 1", b""), answer("200 OK", "X: y", b"x")];
    assert_eq!(fetched("/x.csv", answers).await.0.unwrap().1, b"x");
}

#[tokio::test]
async fn patience_ends() {
    let half = answer("200 OK", "Content-Length: 10", b"12345");
    let (found, requests) = fetched("/x.csv", vec![half; 5]).await;
    let error = found.unwrap_err().to_string();
    assert_eq!(requests.len(), 5);
    assert!(
        error.contains("the connection broke") && error.contains("tried 5 times\n  5 of 10 bytes arrived"),
        "{error}"
    );
}

#[tokio::test]
async fn a_refusal_is_not_asked_again() {
    for (status, hint) in
        [("404 Not Found", "check the address"), ("403 Forbidden", "the file is not public")]
    {
        let (found, requests) = fetched("/x.csv", vec![answer(status, "Content-Length: 0", b"")]).await;
        let error = found.unwrap_err();
        assert!(error.message().ends_with(&format!("the server answered `{status}`")), "{error}");
        assert!(error.hints()[0].starts_with(hint));
        assert_eq!((error.kind(), requests.len()), (crate::error::Kind::Unavailable, 1));
    }
}

#[tokio::test]
async fn nobody_there_and_no_address_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = fetch(&format!("http://{address}/x.csv"), folder.path(), &|_, _| {}).await.unwrap_err();
    assert!(error.message().contains("the server cannot be reached"), "{error}");
    let error = download("landing/x.csv", folder.path(), &|_, _| {}).await.unwrap_err();
    assert_eq!(error.message(), "`landing/x.csv` is not a web address");
}

#[tokio::test]
async fn progress_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _) = server(vec![answer("200 OK", "Content-Length: 300000", &content())]);
    let seen = Mutex::new(Vec::new());
    let progress = |done, total| seen.lock().unwrap().push((done, total));
    fetch(&format!("{address}/x.csv"), folder.path(), &progress).await.unwrap();
    assert_eq!(seen.lock().unwrap().last(), Some(&(300_000, Some(300_000))));
}
