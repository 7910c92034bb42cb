import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSourceUrl, place } from '../../../cli/source/address';

const PEM = '-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n';
const file = join(mkdtempSync(join(tmpdir(), 'authority-')), 'ca.pem');
writeFileSync(file, PEM);

test('a server elsewhere is reached by verified TLS', () => {
  expect(parseSourceUrl(`postgresql://me:p%40ss@db.example.com/Shop?sslmode=verify-full&sslrootcert=${file}`)).toEqual({
    host: 'db.example.com',
    port: 5432,
    database: 'Shop',
    user: 'me',
    password: 'p@ss',
    ca: PEM,
  });
});

test.each([
  ['postgresql://me:pw@127.0.0.1:6000/shop', '127.0.0.1:6000/shop'],
  ['postgres://me:pw@localhost/shop', 'localhost:5432/shop'],
  ['postgresql://me:pw@[::1]:6000/shop', '[::1]:6000/shop'],
  ['postgresql://me:pw@db.example.com/shop?sslmode=disable', 'db.example.com:5432/shop'],
])('%s is not encrypted: it is this machine, or somebody said so', (url, where) => {
  const parsed = parseSourceUrl(url);
  expect(parsed.ca).toBeNull();
  expect(place(parsed)).toBe(where);
});

test.each([
  ['canary', 'it is no URL'],
  ['mysql://me:canary@db/shop', 'it begins with mysql://'],
  ['postgresql://:canary@db/shop', 'host, database or user is missing'],
  ['postgresql://me:canary@db', 'host, database or user is missing'],
  ['postgresql://me:canary@db/shop', 'sslrootcert is missing: without it nobody knows which server it is'],
  ['postgresql://me:canary@db/shop?sslmode=require', 'sslmode is require'],
  ['postgresql://me:canary@db/shop?sslmode=disable&options=x', 'it has the option options'],
  ['postgresql://me:canary@db/shop?sslmode=verify-full&sslrootcert=/none.pem', 'ENOENT'],
  ['postgresql://me:canary@db/shop?sslmode=verify-full&sslrootcert=package.json', 'expected certificates in PEM'],
])('%s is refused, and its password not shown', (url, why) => {
  let message = '';
  try {
    parseSourceUrl(url);
  } catch (error) {
    message = (error as Error).message;
  }
  expect(message).toContain(why);
  expect(message).not.toContain('canary');
});
