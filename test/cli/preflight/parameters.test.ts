import { rootCertificates } from 'node:tls';
import { address, certificates, range, vpcId } from '../../../cli/preflight/parameters';

afterEach(() => jest.useRealTimers());

test('an address is shown when it cannot hold a password', () => {
  expect(address.describe('postgresql://db.example.com:5432/trackman')).toBe(
    'postgresql://db.example.com:5432/trackman',
  );
  for (const wrong of [
    'postgresql://user:secret@db.example.com:5432/trackman',
    'postgresql://db.example.com:5432/trackman?password=secret',
    'postgresql://db.example.com/trackman',
    'postgresql://db.example.com:5432/trackman/secret',
    'postgres://db.example.com:5432/trackman',
  ]) {
    expect(address.describe(wrong)).toBeUndefined();
  }
});

test('ids and ranges', () => {
  expect(vpcId.describe('vpc-0a1b2c3d')).toBe('vpc-0a1b2c3d');
  expect(vpcId.describe('subnet-0a1b2c3d')).toBeUndefined();
  expect(range.describe('172.31.0.0/16')).toBe('172.31.0.0/16');
  expect(range.describe('172.31.0.1/16')).toBeUndefined();
});

describe('certificates', () => {
  const [one, other] = rootCertificates;

  test('are counted, and the last to expire tells until when there is one', () => {
    expect(certificates.describe(`${one}\n${other}`)).toMatch(/^2 certificate\(s\), valid until 20\d\d-\d\d-\d\d$/);
  });

  test.each([
    ['no PEM', 'see the wiki'],
    ['a key', one!.replaceAll('CERTIFICATE', 'PRIVATE KEY')],
    ['a whole and a torn one', `${one}\n${other!.slice(0, 200)}\n-----END CERTIFICATE-----`],
    ['a torn one', `${one!.slice(0, 200)}\n-----END CERTIFICATE-----`],
  ])('%s is none', (_, text) => expect(certificates.describe(text)).toBeUndefined());

  test('those of yesterday are none', () => {
    jest.useFakeTimers({ now: Date.parse('2100-01-01') });
    expect(certificates.describe(`${one}\n${other}`)).toBeUndefined();
  });
});
