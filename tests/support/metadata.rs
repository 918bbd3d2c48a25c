//! A metadata server as on Google Cloud, whose tokens a test hands out.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub struct Metadata {
    pub address: SocketAddr,
    answer: Arc<Mutex<(String, String)>>,
    asked: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Metadata {
    /// Knows of no service account yet.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(("404 Not Found".to_owned(), String::new())));
        let asked = Arc::new(AtomicUsize::new(0));
        let (told, counted) = (answer.clone(), asked.clone());
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Relaxed);
                let answer = told.lock().unwrap().clone();
                tokio::spawn(reply(stream, answer));
            }
        });
        Self { address, answer, asked, serving }
    }

    /// Hands out this token from now on.
    pub fn give(&self, token: &str, expires_in: u64) {
        let body = format!(r#"{{"access_token":"{token}","expires_in":{expires_in},"token_type":"Bearer"}}"#);
        self.say("200 OK", &body);
    }

    pub fn say(&self, status: &str, body: &str) {
        *self.answer.lock().unwrap() = (status.to_owned(), body.to_owned());
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Relaxed)
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn reply(stream: TcpStream, (status, body): (String, String)) {
    let (from, mut to) = stream.into_split();
    let mut lines = BufReader::new(from).lines();
    let mut question = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await
        && !line.is_empty()
    {
        question.push(line.to_ascii_lowercase());
    }
    let path = "/computemetadata/v1/instance/service-accounts/default/token";
    let is_right = question[0] == format!("get {path} http/1.1")
        && question.contains(&"metadata-flavor: google".to_owned())
        && question.iter().any(|line| line.starts_with("host: "));
    let (status, body) = if is_right { (status, body) } else { ("403 Forbidden".to_owned(), String::new()) };
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    // Whoever asked may have ended.
    let _ = to.write_all(answer.as_bytes()).await;
}
