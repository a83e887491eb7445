//! Runs walker, renderers and writer side by side.
//! Chunks go to the renderers in turn and are fetched from them in the same turn: the order of the bytes never
//! depends on who is faster. All channels are short, so memory does not grow with the lines.

use crate::block::Block;
use crate::error::Error;
use crate::job::Chunk;
use crate::population::Progress;
use crate::render::Renderer;
use crate::walker::Walker;
use crate::world::World;
use crate::writer::{Log, Writer};
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Chunks that may wait before and after each renderer.
const WAITING: usize = 2;

/// Writes all files with that many renderers. Returns what was written and how the customers ended.
pub(crate) fn run(world: &World, writer: Writer<'_>, threads: usize) -> Result<(Log, Vec<Progress>), Error> {
    thread::scope(|scope| {
        let (mut to, mut from) = (Vec::new(), Vec::new());
        for _ in 0..threads {
            let (chunks, work) = sync_channel::<Chunk>(WAITING);
            let (done, blocks) = sync_channel::<Block>(WAITING);
            scope.spawn(move || render(world, &work, &done));
            to.push(chunks);
            from.push(blocks);
        }
        let writing = scope.spawn(move || write(writer, &from));
        let mut turn = (0..threads).cycle();
        let mut send = |chunk| turn.next().is_some_and(|next| to[next].send(chunk).is_ok());
        let customers = Walker::new(world).walk(&mut send);
        drop(to);
        let log = writing.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok((log, customers))
    })
}

fn render(world: &World, work: &Receiver<Chunk>, done: &SyncSender<Block>) {
    let mut renderer = Renderer::new(world);
    while let Ok(chunk) = work.recv() {
        if done.send(renderer.render(&chunk)).is_err() {
            return;
        }
    }
}

/// Writes until the renderer whose turn it is has nothing more. An error ends the run: the renderers
/// find nobody to send to, and the walker after them.
fn write(mut writer: Writer<'_>, blocks: &[Receiver<Block>]) -> Result<Log, Error> {
    for turn in blocks.iter().cycle() {
        match turn.recv() {
            Ok(block) => writer.write(&block)?,
            Err(_) => break,
        }
    }
    writer.finish()
}
