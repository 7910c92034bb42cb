import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runStatement } from '../../cli/aws/athena';
import { FailedError } from '../../cli/errors';

const row = (cell: string) => ({ Data: [{ VarCharValue: cell }] });
const page = (cells: string[], next?: string) => ({
  ResultSet: { ResultSetMetadata: { ColumnInfo: [{ Name: 'n' }] }, Rows: cells.map(row) },
  NextToken: next,
});
const firstPage = page(['n', '1'], 'more');

/** An Athena in which each query ends in a state and has these pages; one that is undefined is refused. */
function athena(state: string, ...pages: (object | undefined)[]): Server {
  const answers: Record<string, () => object | undefined> = {
    StartQueryExecution: () => ({ QueryExecutionId: 'q' }),
    GetQueryExecution: () => ({ QueryExecution: { Status: { State: state, StateChangeReason: 'somebody said so' } } }),
    GetQueryResults: () => pages.shift(),
  };
  return createServer((request, response) => {
    const answer = answers[String(request.headers['x-amz-target']).split('.')[1]!]!();
    response.writeHead(answer ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(answer ?? { __type: 'InvalidRequestException', message: 'is gone' }));
  });
}

async function rowsOf(server: Server): Promise<unknown> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { accessKeyId: 'any', secretAccessKey: 'any' };
  try {
    const config = { endpoint, region: 'eu-central-1', credentials };
    return (await runStatement(config, { sql: 'select n from t', database: 'd', workgroup: 'w' })).rows;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('the result of a query that succeeded is all of its pages', async () => {
  expect(await rowsOf(athena('SUCCEEDED', firstPage, page(['2'])))).toEqual([['1'], ['2']]);
});

test.each(['CANCELLED', 'FAILED'])(
  'a query that ended as %s has no result, though pages could be read',
  async (state) => {
    const told = rowsOf(athena(state, firstPage, page(['2'])));
    await expect(told).rejects.toThrow(new FailedError(`Athena query q ${state}: somebody said so`));
  },
);

test('a result of which a page cannot be read is none', async () => {
  await expect(rowsOf(athena('SUCCEEDED', firstPage, undefined))).rejects.toThrow('is gone');
});
