// Drives the official Node SDK. It reads one JSON object a line: first where to
// connect, then steps in the form of scenario_model_test.go. For each step it
// answers with a line, a result in the form of the same file.
'use strict';

const readline = require('readline');
const TableStore = require('tablestore');
// The SDK hands out an error's body as it is; this is its own decoder of it.
const { Error: ServiceError, TableStatus: statuses } = require('tablestore/lib/protocol/tablestore_compiled_proto.js').main.proto;

// Values.

function toValue({ Kind, Text }) {
  switch (Kind) {
    case 'int': return TableStore.Long.fromString(Text);
    case 'float': return Buffer.from(Text, 'hex').readDoubleBE(0);
    case 'bool': return Text === 'true';
    case 'text': return Text;
    case 'bytes': return Buffer.from(Text, 'hex');
  }
  return { inf_min: TableStore.INF_MIN, inf_max: TableStore.INF_MAX, auto: TableStore.PK_AUTO_INCR }[Text];
}

function fromValue(v) {
  switch (typeof v) {
    case 'string': return { Kind: 'text', Text: v };
    case 'boolean': return { Kind: 'bool', Text: String(v) };
    case 'number': {
      const bits = Buffer.alloc(8);
      bits.writeDoubleBE(v);
      return { Kind: 'float', Text: bits.toString('hex') };
    }
  }
  if (Buffer.isBuffer(v)) return { Kind: 'bytes', Text: v.toString('hex') };
  return { Kind: 'int', Text: v.toString() };
}

const toKey = (key) => (key || []).map((c) => ({ [c.Name]: toValue(c.Value) }));
const fromKey = (key) => key.map((c) => ({ Name: c.name, Value: fromValue(c.value) }));

function fromRow(row) {
  return {
    Key: fromKey(row.primaryKey),
    Columns: row.attributes.map((c) => ({
      Name: c.columnName, Value: fromValue(c.columnValue), Time: c.timestamp === null ? null : c.timestamp.toNumber(),
    })),
  };
}

function toColumn(c) {
  const column = { [c.Name]: toValue(c.Value) };
  if (c.Time !== null) column.timestamp = c.Time;
  return column;
}

function toChange(c) {
  switch (c.Op) {
    case 'delete': return { DELETE_ALL: [c.Name] };
    case 'delete version': return { DELETE: [{ [c.Name]: c.Time }] };
    case 'increment': return { INCREMENT: [toColumn(c)] };
  }
  return { PUT: [toColumn(c)] };
}

// Conditions, filters and choices.

const comparators = {
  '==': TableStore.ComparatorType.EQUAL, '!=': TableStore.ComparatorType.NOT_EQUAL,
  '>': TableStore.ComparatorType.GREATER_THAN, '>=': TableStore.ComparatorType.GREATER_EQUAL,
  '<': TableStore.ComparatorType.LESS_THAN, '<=': TableStore.ComparatorType.LESS_EQUAL,
};

function toFilter(f) {
  const operator = TableStore.LogicalOperator[f.Op.toUpperCase()];
  if (operator === undefined) {
    return new TableStore.SingleColumnCondition(f.Name, toValue(f.Value), comparators[f.Op], !f.Must, !f.Any);
  }
  const made = new TableStore.CompositeCondition(operator);
  f.Parts.forEach((part) => made.addSubCondition(toFilter(part)));
  return made;
}

function toCondition(s) {
  const expect = { '': 'IGNORE', exist: 'EXPECT_EXIST', absent: 'EXPECT_NOT_EXIST' }[s.Expect];
  return new TableStore.Condition(TableStore.RowExistenceExpectation[expect], s.Where ? toFilter(s.Where) : null);
}

function toReturn(s) {
  const returnType = { '': TableStore.ReturnType.NONE, key: TableStore.ReturnType.Primarykey, after: TableStore.ReturnType.AfterModify }[s.Return];
  return { returnType, returnColumns: s.ReturnColumns || [] };
}

// choice is what a read wants of each row.
function choice(s) {
  const params = {};
  if (s.Get) params.columnsToGet = s.Get;
  if (s.Versions) params.maxVersions = s.Versions;
  if (s.Times && s.Times.At !== null) params.timeRange = { specificTime: s.Times.At };
  else if (s.Times) params.timeRange = { startTime: s.Times.From, endTime: s.Times.To };
  if (s.Begin) params.startColumn = s.Begin;
  if (s.Until) params.endColumn = s.Until;
  if (s.Page) params.columnFilter = new TableStore.ColumnPaginationFilter(s.Page.Limit, s.Page.Offset);
  else if (s.Where) params.columnFilter = toFilter(s.Where);
  return params;
}

// Tables.

const keyTypes = { integer: 'INTEGER', string: 'STRING', binary: 'BINARY' };
const columnTypes = { integer: 'DCT_INTEGER', double: 'DCT_DOUBLE', boolean: 'DCT_BOOLEAN', string: 'DCT_STRING' };
const nameOf = (types, values, type) => Object.keys(types).find((name) => values[types[name]] === type);

function toOptions(d) {
  const options = { timeToLive: d.TTL, maxVersions: d.Versions };
  if (d.Deviation) options.maxTimeDeviation = d.Deviation;
  if (d.NoUpdate) options.allowUpdate = false;
  return options;
}

function toStream(d, params) {
  if (d.Streamed) params.streamSpecification = d.Stream > 0 ? { enableStream: true, expirationTime: d.Stream } : { enableStream: false };
  return params;
}

const toUnits = (u) => ({ capacityUnit: { read: u ? u.Read : 0, write: u ? u.Write : 0 } });
const fromUnits = (u) => ({ Read: u.read, Write: u.write });

function toTable(s) {
  const d = s.Definition;
  const params = {
    tableMeta: {
      tableName: s.Table,
      primaryKey: (d.Keys || []).map((k) => (k.Auto ? { name: k.Name, type: keyTypes[k.Type], option: 'AUTO_INCREMENT' } : { name: k.Name, type: keyTypes[k.Type] })),
    },
    reservedThroughput: toUnits(d.Reserved),
    tableOptions: toOptions(d),
  };
  if (d.Defined) params.tableMeta.definedColumn = d.Defined.map((k) => ({ name: k.Name, type: TableStore.DefinedColumnType[columnTypes[k.Type]] }));
  if (d.Indexes) {
    params.indexMetas = d.Indexes.map((i) => ({
      name: i.Name, primaryKey: i.Keys, definedColumn: i.Columns,
      indexUpdateMode: i.Local ? TableStore.IndexUpdateMode.IUM_SYNC_INDEX : TableStore.IndexUpdateMode.IUM_ASYNC_INDEX,
      indexType: i.Local ? TableStore.IndexType.IT_LOCAL_INDEX : TableStore.IndexType.IT_GLOBAL_INDEX,
    }));
  }
  return toStream(d, params);
}

// has tells what an answer has from what the SDK's decoder makes up.
const has = (message, field, value) => Object.hasOwn(message, field) && message[field] === value;

const toNumber = (long) => Number(long.toString());

function fromTable(data) {
  const d = {
    Versions: data.tableOptions.maxVersions, TTL: data.tableOptions.timeToLive, NoUpdate: has(data.tableOptions, 'allowUpdate', false),
    Deviation: toNumber(data.tableOptions.deviationCellVersionInSec),
    Reserved: fromUnits(data.reservedThroughputDetails.capacityUnit),
    Streamed: data.streamDetails.enableStream, Stream: data.streamDetails.expirationTime,
    Details: {
      ReservedSince: toNumber(data.reservedThroughputDetails.lastIncreaseTime),
      StreamID: data.streamDetails.streamId, StreamSince: toNumber(data.streamDetails.lastEnableTime),
    },
  };
  if (!d.Streamed) d.Details.IdleStream = d.Stream;
  if (data.tableMeta) {
    d.Keys = data.tableMeta.primaryKey.map((k) => ({
      Name: k.name, Type: nameOf(keyTypes, TableStore.PrimaryKeyType, k.type), Auto: has(k, 'option', TableStore.PrimaryKeyOption.AUTO_INCREMENT),
    }));
    d.Defined = data.tableMeta.definedColumn.map((k) => ({ Name: k.name, Type: nameOf(columnTypes, TableStore.DefinedColumnType, k.type) }));
    d.Indexes = data.indexMetas.map((i) => ({
      Name: i.name, Keys: i.primaryKey, Columns: i.definedColumn, Local: i.indexType === TableStore.IndexType.IT_LOCAL_INDEX,
      Mode: i.indexUpdateMode === TableStore.IndexUpdateMode.IUM_SYNC_INDEX ? 'sync' : 'async',
    }));
    Object.assign(d.Details, { Name: data.tableMeta.tableName, Status: nameOf(statuses, statuses, data.tableStatus) });
  }
  return { Table: d };
}

// Rows.

const fromReadRow = (data) => ({ Rows: data.row.primaryKey ? [fromRow(data.row)] : [], Consumed: fromUnits(data.consumed.capacityUnit) });

function toWrite(s) {
  const params = { tableName: s.Table, primaryKey: toKey(s.Keys[0]), condition: toCondition(s), returnContent: toReturn(s) };
  if (s.Action === 'PutRow') params.attributeColumns = (s.Cells || []).map(toColumn);
  if (s.Action === 'UpdateRow') params.updateOfAttributeColumns = (s.Cells || []).map(toChange);
  return params;
}

function toBatchWrite(s) {
  const tables = new Map();
  (s.Parts || []).forEach((part) => {
    if (!tables.has(part.Table)) tables.set(part.Table, { tableName: part.Table, rows: [] });
    const { primaryKey, condition, returnContent, attributeColumns, updateOfAttributeColumns } = toWrite(part);
    const type = { PutRow: 'PUT', UpdateRow: 'UPDATE', DeleteRow: 'DELETE' }[part.Action];
    tables.get(part.Table).rows.push({ type, primaryKey, condition, returnContent, attributeColumns: attributeColumns || updateOfAttributeColumns });
  });
  return { tables: [...tables.values()] };
}

const toBatchRead = (s) => ({
  tables: (s.Parts || []).map((part) => ({ tableName: part.Table, primaryKey: (part.Keys || []).map(toKey), ...choice(part) })),
});

const fromBatch = (rows) => ({
  Batch: rows.map((r) => ({
    Table: r.tableName,
    Row: r.primaryKey ? fromRow(r) : null,
    Consumed: r.capacityUnit ? fromUnits(r.capacityUnit) : null,
    Error: r.isOk ? null : { Code: r.errorCode, Message: r.errorMessage },
  })),
});

// Each action: the SDK's method, its parameters from a step, a result from what
// it returns.
const table = (s) => ({ tableName: s.Table });
const actions = {
  ListTable: ['listTable', () => ({}), (data) => ({ Tables: data.tableNames })],
  CreateTable: ['createTable', toTable, () => ({})],
  DeleteTable: ['deleteTable', table, () => ({})],
  DescribeTable: ['describeTable', table, fromTable],
  UpdateTable: ['updateTable', (s) => {
    const d = s.Definition;
    const params = { tableName: s.Table, tableOptions: d.Options ? toOptions(d) : {} };
    if (d.Reserved) params.reservedThroughput = toUnits(d.Reserved);
    return toStream(d, params);
  }, fromTable],
  PutRow: ['putRow', toWrite, fromReadRow],
  UpdateRow: ['updateRow', toWrite, fromReadRow],
  DeleteRow: ['deleteRow', toWrite, fromReadRow],
  GetRow: ['getRow', (s) => ({ tableName: s.Table, primaryKey: toKey(s.Keys[0]), ...choice(s) }), fromReadRow],
  GetRange: ['getRange', (s) => ({
    tableName: s.Table, inclusiveStartPrimaryKey: toKey(s.Keys[0]), exclusiveEndPrimaryKey: toKey(s.Keys[1]), limit: s.Limit,
    direction: s.Backward ? TableStore.Direction.BACKWARD : TableStore.Direction.FORWARD, ...choice(s),
  }), (data) => ({
    Rows: data.rows.map(fromRow),
    Next: data.nextStartPrimaryKey && fromKey(data.nextStartPrimaryKey),
    Consumed: fromUnits(data.consumed.capacityUnit),
  })],
  BatchGetRow: ['batchGetRow', toBatchRead, (data) => fromBatch(data.tables.flat())],
  BatchWriteRow: ['batchWriteRow', toBatchWrite, (data) => fromBatch(data.tables)],
};

// call does one step.
function call(client, s) {
  return new Promise((resolve) => {
    const refuse = (err) => resolve({ Refused: String(err && err.message) });
    try {
      const [method, params, result] = actions[s.Action];
      client[method](params(s), function done(err, data) {
        try {
          const { statusCode, body } = this.httpResponse;
          if (!err) resolve(result(data));
          else if (statusCode >= 300) {
            const { code, message } = ServiceError.decode(body);
            resolve({ Error: { Status: statusCode, Code: code, Message: message } });
          } else refuse(err);
        } catch (failed) {
          refuse(failed);
        }
      });
    } catch (failed) {
      refuse(failed);
    }
  });
}

async function main() {
  let client;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const message = JSON.parse(line);
    if (!client) client = new TableStore.Client({ ...message, maxRetries: 0 });
    else process.stdout.write(`${JSON.stringify(await call(client, message))}\n`);
  }
}

main();
