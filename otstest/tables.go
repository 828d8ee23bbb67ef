package otstest

import (
	"math"
	"net/http"
	"regexp"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
)

const (
	maxDefinedColumns = 32
	maxColumnName     = 255 // bytes

	// defaultDeviation is how many seconds a version's timestamp may be from
	// the present, as DescribeTable has it. (Source: the documentation of
	// table options.)
	defaultDeviation = 86400

	// neverExpires is the time to live of a table that keeps its data.
	neverExpires = -1
)

// validName is the rule for tables, indexes and the columns of a table's schema.
// (Source: the documentation's naming conventions.)
func validName(name string) bool {
	return len(name) <= 255 && regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(name)
}

// checkColumn checks the name of an attribute column in a request on rows: the
// service takes more than the documentation allows. (Source: the official Java
// SDK's tests, ParameterLegalityTest, testValidColumnName and testInvalidColumnName.)
func checkColumn(name string) *refusal {
	if name == "" || len(name) > maxColumnName || name[0] == '#' {
		return invalid("Invalid column name: '%s'.", name)
	}
	return nil
}

// checkName checks a table's name. All actions do it first. (Source: the official
// Java SDK's tests, ParameterLegalityTest, testInvalidTableName.)
func checkName(name string) *refusal {
	if !validName(name) {
		return invalid("Invalid table name: '%s'.", name)
	}
	return nil
}

// checkTarget checks what a request on rows is directed at. There are no
// transactions here, so a request that belongs to one must not pass: its test would
// see what the service never shows. (Source of the message: the official Java SDK's
// tests, LocalTxnTest, where it is that of starting a transaction on such a table;
// that other actions answer with it is assumed.)
func checkTarget(name, transaction string) *refusal {
	if refused := checkName(name); refused != nil {
		return refused
	}
	return checkTransaction(transaction)
}

func checkTransaction(id string) *refusal {
	if id != "" {
		return invalid("Try to call method using explicit transaction on explicit-transaction-disabled table.")
	}
	return nil
}

// checkTable checks that there is a table; nil: none.
func checkTable(t *table, name string) *refusal {
	if t == nil {
		return refuse(http.StatusNotFound, "OTSObjectNotExist", "Requested table does not exist.", "there is no table %q", name)
	}
	return nil
}

// checkWritable checks that there is a table, and that it is no index. (Source: the
// documentation's error codes; that UpdateTable and DeleteTable answer as writes of
// rows do is assumed.)
func checkWritable(t *table, name string) *refusal {
	if refused := checkTable(t, name); refused != nil {
		return refused
	}
	if t.isIndex {
		return invalid("Can't write index table directly")
	}
	return nil
}

// listTable leaves out indexes. (Source: the official Java SDK's tests, OTSHelper,
// deleteAllTable, which deletes what was listed without regard to indexes, while
// those of SecondaryIndexTest are deleted with their table.)
func (s *Server) listTable(*otspb.ListTableRequest) (proto.Message, *refusal) {
	return &otspb.ListTableResponse{TableNames: s.store.names()}, nil
}

func (s *Server) createTable(req *otspb.CreateTableRequest) (proto.Message, *refusal) {
	meta, options := req.GetTableMeta(), req.GetTableOptions()
	if refused := checkMeta(meta); refused != nil {
		return nil, refused
	}
	if refused := checkIndexes(meta, req.GetIndexMetas()); refused != nil {
		return nil, refused
	}
	if refused := checkOptions(options); refused != nil {
		return nil, refused
	}
	if refused := checkIndexed(req.GetIndexMetas(), options); refused != nil {
		return nil, refused
	}
	if cu := req.GetReservedThroughput().GetCapacityUnit(); cu.GetRead() < 0 || cu.GetWrite() < 0 {
		return nil, invalid("Invalid Capacity Unit:%d . Capacity Unit must be nonnegative.", min(cu.GetRead(), cu.GetWrite()))
	}
	if options.DeviationCellVersionInSec == nil {
		options.DeviationCellVersionInSec = proto.Int64(defaultDeviation)
	}
	now := s.opts.Now()
	cu := &otspb.CapacityUnit{Read: proto.Int32(0), Write: proto.Int32(0)}
	proto.Merge(cu, req.GetReservedThroughput().GetCapacityUnit())
	return &otspb.CreateTableResponse{}, s.store.add(&table{
		meta: meta, options: options, throughput: cu, stream: req.GetStreamSpec(), indexes: req.GetIndexMetas(), created: now, adjusted: now, streamed: now,
	}, s.opts.MaxTables)
}

func checkMeta(meta *otspb.TableMeta) *refusal {
	if refused := checkName(meta.GetTableName()); refused != nil {
		return refused
	}
	if n := len(meta.GetPrimaryKey()); n < 1 || n > maxPrimaryKeys {
		return invalid("The number of primary key columns must be in range: [1, %d].", maxPrimaryKeys)
	}
	seen, automatic := map[string]bool{}, 0
	for i, column := range meta.GetPrimaryKey() {
		name := column.GetName()
		switch {
		case !validName(name):
			return invalid("Invalid column name: '%s'.", name)
		case seen[name]:
			return invalid("Duplicated primary key name: '%s'.", name)
		case !isKnown(column.GetType()):
			return invalid("Invalid column type, only STRING,INTEGER,BINARY is allowed.")
		case column.Option != nil && !isKnown(column.GetOption()):
			return refuseMessage("the option of the key column %q is %d", name, column.GetOption())
		}
		seen[name] = true
		if column.Option == nil {
			continue
		}
		automatic++
		switch {
		case i == 0:
			return invalid("First primary key can't be auto increment, table: %s.", meta.GetTableName())
		case column.GetType() != otspb.PrimaryKeyType_INTEGER:
			return invalid("AUTO_INCREMENT primary key must be integer.")
		case automatic > 1:
			return invalid("AUTO_INCREMENT primary key count must <= 1.")
		}
	}
	if len(meta.GetDefinedColumn()) > maxDefinedColumns {
		return invalid("The number of defined columns must be in range: [0, %d].", maxDefinedColumns)
	}
	for _, column := range meta.GetDefinedColumn() {
		name := column.GetName()
		if !validName(name) {
			return invalid("Invalid column name: '%s'.", name)
		}
		if seen[name] {
			return invalid("Duplicated attribute column name with primary key column: %s.", name)
		}
		if !isKnown(column.GetType()) {
			return invalid("Invalid column type: %d.", column.GetType())
		}
		seen[name] = true
	}
	return nil
}

func checkOptions(options *otspb.TableOptions) *refusal {
	switch {
	case options == nil || options.TimeToLive == nil:
		return invalid("Time-to-live is missing while creating table.")
	case options.MaxVersions == nil:
		return invalid("MaxVersions is missing while creating table.")
	}
	return checkGiven(options)
}

// checkGiven checks those options that are there.
func checkGiven(options *otspb.TableOptions) *refusal {
	deviation := options.GetDeviationCellVersionInSec()
	switch {
	case options.TimeToLive != nil && (options.GetTimeToLive() == 0 || options.GetTimeToLive() < neverExpires):
		return invalid("TimeToLive cannot be 0 or less than -1.")
	case options.MaxVersions != nil && options.GetMaxVersions() <= 0:
		return invalid("The maximum versions cannot be less than or equal to 0")
	case deviation < 0 || deviation > math.MaxInt64/1_000_000:
		return invalid("The maximum deviation must be in range [0, INT64_MAX/1000000].")
	}
	return nil
}
