import { createHash } from 'node:crypto';
import net from 'node:net';

/**
 * Runs `work` while no other process on this machine runs work under the same `name`.
 *
 * The lock is an abstract Unix socket that its holder listens on. The kernel lets only one process have it and takes it
 * back when that process ends, however it ends: no lock is ever stale. Those who wait are connected to it, and are woken
 * when the connection breaks.
 *
 * @param {string} name
 * @param {() => Promise<unknown>} work
 * @param {() => void} [onWait] told once, when another process holds the lock
 */
export async function exclusively(name, work, onWait = () => {}) {
  const address = addressOf(name);
  let release = await tryLock(address);
  if (release === undefined) onWait();
  while (release === undefined) {
    await holderGone(address);
    release = await tryLock(address);
  }
  try {
    return await work();
  } finally {
    release();
  }
}

/** Runs `work` under the lock `name`, or not at all when another process holds it. */
export async function ifFree(name, work) {
  const release = await tryLock(addressOf(name));
  if (release === undefined) return;
  try {
    await work();
  } finally {
    release();
  }
}

function addressOf(name) {
  return `\0trackman-setup-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}

/** A function that releases the lock, or undefined when another process holds it. */
function tryLock(address) {
  return new Promise((resolve, reject) => {
    const waiting = new Set();
    const server = net.createServer((socket) => waiting.add(socket.on('error', () => socket.destroy())));
    server.on('error', (error) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(address, () =>
      resolve(() => {
        server.close();
        for (const socket of waiting) socket.destroy();
      }),
    );
  });
}

function holderGone(address) {
  return new Promise((resolve) => {
    const socket = net.connect(address);
    socket.on('error', () => socket.destroy());
    socket.on('close', resolve);
    socket.resume();
  });
}
