/** Zip files that are the same bytes for the same content, whenever and wherever they are made. */

export interface ZipEntry {
  /** Path in the archive, with forward slashes. */
  readonly path: string;
  readonly content: Buffer;
}

// Field values of the ZIP file format specification (APPNOTE), little endian.
const LOCAL_FILE_HEADER = 0x04034b50;
const CENTRAL_DIRECTORY_HEADER = 0x02014b50;
const END_OF_CENTRAL_DIRECTORY = 0x06054b50;
const VERSION = 20;
const UTF8_NAMES = 0x0800;
const STORED = 0; // not compressed: compressed bytes differ from one version of zlib to another
const MIDNIGHT = 0;
const FIRST_OF_1980 = 0x21; // the earliest date that the format knows

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** The entries as a zip archive, in order of their paths. */
export function zip(entries: readonly ZipEntry[]): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const name = Buffer.from(entry.path);
    const attributes = attributesOf(entry, name);
    const file = Buffer.concat([uint32(LOCAL_FILE_HEADER), attributes, name, entry.content]);
    files.push(file);
    directory.push(
      uint32(CENTRAL_DIRECTORY_HEADER),
      uint16(VERSION),
      attributes,
      uint16(0, 0, 0), // comment's length, disk, internal attributes
      uint32(0, offset), // external attributes, where the file is
      name,
    );
    offset += file.length;
  }
  const size = directory.reduce((total, part) => total + part.length, 0);
  const count = entries.length;
  const end = [uint32(END_OF_CENTRAL_DIRECTORY), uint16(0, 0, count, count), uint32(size, offset), uint16(0)];
  return Buffer.concat([...files, ...directory, ...end]);
}

/** What the file's header and its line in the directory have in common. */
function attributesOf({ content }: ZipEntry, name: Buffer): Buffer {
  return Buffer.concat([
    uint16(VERSION, UTF8_NAMES, STORED, MIDNIGHT, FIRST_OF_1980),
    uint32(crc32(content), content.length, content.length), // compressed and not
    uint16(name.length, 0), // no extra field
  ]);
}

function crc32(content: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of content) crc = CRC_TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function uint16(...values: number[]): Buffer {
  const buffer = Buffer.alloc(2 * values.length);
  values.forEach((value, index) => buffer.writeUInt16LE(value, 2 * index));
  return buffer;
}

function uint32(...values: number[]): Buffer {
  const buffer = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => buffer.writeUInt32LE(value, 4 * index));
  return buffer;
}
