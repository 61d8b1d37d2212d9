//! Snapshots on disk: the pieces that also travel ([`SnapshotChunk`]), each with its length and checksum.
//!
//! A file is written beside its place and moved there when it is whole and synced. The newest one is kept.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use rookery_routing::snapshot::SnapshotError;
use rookery_wire::raft::snapshot_chunk::Chunk;
use rookery_wire::raft::{SnapshotChunk, SnapshotHeader};

/// No piece is longer.
pub(crate) const LONGEST: usize = 64 << 20;

const ENDING: &str = "snapshot";

/// Why a snapshot cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// What it says.
        source: io::Error,
    },
    /// It is not whole.
    #[error("{0} is damaged")]
    Damaged(String),
    /// It is no table.
    #[error("no table: {0}")]
    Table(#[from] SnapshotError),
}

/// Reads the pieces of a file.
#[derive(Debug)]
pub(crate) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    frames: u64,
}

/// Writes the pieces of a file.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
}

// === impl Reader ===

impl Reader {
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let file = File::open(path).map_err(|source| failed(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(1 << 18, file),
            frames: 0,
        })
    }

    /// The first piece.
    pub(crate) fn header(&mut self) -> Result<SnapshotHeader, FileError> {
        match self.chunk()? {
            Chunk::Header(header) => Ok(header),
            Chunk::Frame(_) | Chunk::End(_) => Err(self.damaged()),
        }
    }

    /// The next frame, until there is none.
    pub(crate) fn frame(&mut self) -> Result<Option<Bytes>, FileError> {
        match self.chunk()? {
            Chunk::Frame(frame) => {
                self.frames += 1;
                Ok(Some(frame))
            }
            Chunk::End(frames) if frames == self.frames => Ok(None),
            Chunk::End(_) | Chunk::Header(_) => Err(self.damaged()),
        }
    }

    /// The next piece.
    fn chunk(&mut self) -> Result<Chunk, FileError> {
        let length = u32::from_le_bytes(self.four()?);
        let checksum = u32::from_le_bytes(self.four()?);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > LONGEST {
            return Err(self.damaged());
        }
        let mut body = vec![0; length];
        self.read(&mut body)?;
        if crc32fast::hash(&body) != checksum {
            return Err(self.damaged());
        }
        let piece = SnapshotChunk::decode(Bytes::from(body)).ok();
        piece
            .and_then(|piece| piece.chunk)
            .ok_or_else(|| self.damaged())
    }

    fn four(&mut self) -> Result<[u8; 4], FileError> {
        let mut bytes = [0; 4];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), FileError> {
        self.file
            .read_exact(into)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => self.damaged(),
                _ => failed(&self.path, error),
            })
    }

    fn damaged(&self) -> FileError {
        FileError::Damaged(self.path.display().to_string())
    }
}

// === impl Writer ===

impl Writer {
    pub(crate) fn create(path: &Path) -> Result<Self, FileError> {
        let file = File::create(path).map_err(|source| failed(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::with_capacity(1 << 18, file),
        })
    }

    pub(crate) fn chunk(&mut self, chunk: Chunk) -> Result<(), FileError> {
        let body = SnapshotChunk { chunk: Some(chunk) }.encode_to_vec();
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
        let checksum = crc32fast::hash(&body).to_le_bytes();
        for bytes in [&length[..], &checksum, &body] {
            let written = self.file.write_all(bytes);
            written.map_err(|source| failed(&self.path, source))?;
        }
        Ok(())
    }

    /// Has all of it synced.
    pub(crate) fn finish(mut self) -> Result<(), FileError> {
        let flushed = self.file.flush();
        let synced = flushed.and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(|source| failed(&self.path, source))
    }
}

/// Writes a snapshot, which is the newest from then on.
pub(crate) fn write(
    directory: &Path,
    header: &SnapshotHeader,
    frames: impl Iterator<Item = Vec<u8>>,
) -> Result<PathBuf, FileError> {
    let path = directory.join("outgoing");
    let mut writer = Writer::create(&path)?;
    writer.chunk(Chunk::Header(header.clone()))?;
    let mut count = 0;
    for frame in frames {
        writer.chunk(Chunk::Frame(frame.into()))?;
        count += 1;
    }
    writer.chunk(Chunk::End(count))?;
    writer.finish()?;
    keep(&path, directory, &header.id)
}

/// Moves a file that is whole to its place, and removes the ones before it.
pub(crate) fn keep(from: &Path, directory: &Path, id: &str) -> Result<PathBuf, FileError> {
    let path = directory.join(format!("{id}.{ENDING}"));
    let moved = fs::rename(from, &path).and_then(|()| File::open(directory)?.sync_all());
    moved.map_err(|source| failed(&path, source))?;
    for old in all(directory)? {
        if old < path {
            fs::remove_file(&old).map_err(|source| failed(&old, source))?;
        }
    }
    Ok(path)
}

/// The newest snapshot in a directory.
pub(crate) fn newest(directory: &Path) -> Result<Option<PathBuf>, FileError> {
    Ok(all(directory)?.into_iter().max())
}

fn all(directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let files = fs::read_dir(directory)?.map(|file| Ok(file?.path()));
        files.collect()
    };
    let mut files = read().map_err(|source| failed(directory, source))?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == ENDING));
    Ok(files)
}

fn failed(path: &Path, source: io::Error) -> FileError {
    let path = path.display().to_string();
    FileError::Io { path, source }
}
