package otstest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
)

func TestCreateTableRefusesWhatCannotBe(t *testing.T) {
	automatic := otspb.PrimaryKeyOption_AUTO_INCREMENT.Enum()
	keyColumn := func(name string) *otspb.PrimaryKeySchema {
		return &otspb.PrimaryKeySchema{Name: &name, Type: otspb.PrimaryKeyType_INTEGER.Enum()}
	}
	column := func(name string) *otspb.DefinedColumnSchema {
		return &otspb.DefinedColumnSchema{Name: &name, Type: otspb.DefinedColumnType_DCT_INTEGER.Enum()}
	}
	options := func(ttl, versions *int32) func(*otspb.CreateTableRequest) {
		return func(r *otspb.CreateTableRequest) {
			r.TableOptions = &otspb.TableOptions{TimeToLive: ttl, MaxVersions: versions}
		}
	}
	named := func(name string) func(*otspb.CreateTableRequest) {
		return func(r *otspb.CreateTableRequest) { r.TableMeta.TableName = &name }
	}
	for name, c := range map[string]struct {
		change func(*otspb.CreateTableRequest)
		want   string
	}{
		"a name with a hyphen":            {named("a-b"), "400 OTSParameterInvalid Invalid table name: 'a-b'."},
		"a name that begins with a digit": {named("1a"), "400 OTSParameterInvalid Invalid table name: '1a'."},
		"no name":                         {named(""), "400 OTSParameterInvalid Invalid table name: ''."},
		"a name of 256 characters":        {named(strings.Repeat("a", 256)), "400 OTSParameterInvalid Invalid table name: '" + strings.Repeat("a", 256) + "'."},
		"a name that is taken":            {named("taken"), "409 OTSObjectAlreadyExist Requested table already exists."},
		"no key":                          {func(r *otspb.CreateTableRequest) { r.TableMeta.PrimaryKey = nil }, "400 OTSParameterInvalid The number of primary key columns must be in range: [1, 4]."},
		"five key columns": {func(r *otspb.CreateTableRequest) {
			r.TableMeta.PrimaryKey = slices.Repeat(r.TableMeta.PrimaryKey[:1], 5)
		}, "400 OTSParameterInvalid The number of primary key columns must be in range: [1, 4]."},
		"a key column that cannot be":    {func(r *otspb.CreateTableRequest) { r.TableMeta.PrimaryKey[1].Name = proto.String("1n") }, "400 OTSParameterInvalid Invalid column name: '1n'."},
		"a key column twice":             {func(r *otspb.CreateTableRequest) { r.TableMeta.PrimaryKey[1].Name = proto.String("pk") }, "400 OTSParameterInvalid Duplicated primary key name: 'pk'."},
		"a number to choose comes first": {func(r *otspb.CreateTableRequest) { r.TableMeta.PrimaryKey[0].Option = automatic }, "400 OTSParameterInvalid First primary key can't be auto increment, table: new."},
		"a number to choose is a text": {func(r *otspb.CreateTableRequest) {
			k := r.TableMeta.PrimaryKey[1]
			k.Option, k.Type = automatic, otspb.PrimaryKeyType_STRING.Enum()
		}, "400 OTSParameterInvalid AUTO_INCREMENT primary key must be integer."},
		"two numbers to choose": {func(r *otspb.CreateTableRequest) {
			r.TableMeta.PrimaryKey = append(r.TableMeta.PrimaryKey, keyColumn("m"))
			r.TableMeta.PrimaryKey[1].Option, r.TableMeta.PrimaryKey[2].Option = automatic, automatic
		}, "400 OTSParameterInvalid AUTO_INCREMENT primary key count must <= 1."},
		"a key column of no type": {func(r *otspb.CreateTableRequest) {
			r.TableMeta.PrimaryKey[0].Type = otspb.PrimaryKeyType(9).Enum()
		}, "400 OTSParameterInvalid Invalid column type, only STRING,INTEGER,BINARY is allowed."},
		"a key column with an option that is none": {func(r *otspb.CreateTableRequest) {
			r.TableMeta.PrimaryKey[1].Option = otspb.PrimaryKeyOption(7).Enum()
		}, "400 OTSParameterInvalid Failed to parse the ProtoBuf message."},
		"an index of no type": {func(r *otspb.CreateTableRequest) {
			r.IndexMetas = []*otspb.IndexMeta{{
				Name: proto.String("i"), PrimaryKey: []string{"n"},
				IndexUpdateMode: otspb.IndexUpdateMode_IUM_ASYNC_INDEX.Enum(), IndexType: otspb.IndexType(7).Enum(),
			}}
		}, "400 OTSParameterInvalid Failed to parse the ProtoBuf message."},
		"a defined column of no type": {func(r *otspb.CreateTableRequest) {
			bad := column("x")
			bad.Type = otspb.DefinedColumnType(9).Enum()
			r.TableMeta.DefinedColumn = []*otspb.DefinedColumnSchema{bad}
		}, "400 OTSParameterInvalid Invalid column type: 9."},
		"a deviation below zero": {func(r *otspb.CreateTableRequest) {
			r.TableOptions.DeviationCellVersionInSec = proto.Int64(-1)
		}, "400 OTSParameterInvalid The maximum deviation must be in range [0, INT64_MAX/1000000]."},
		"a deviation beyond all time": {func(r *otspb.CreateTableRequest) {
			r.TableOptions.DeviationCellVersionInSec = proto.Int64(math.MaxInt64)
		}, "400 OTSParameterInvalid The maximum deviation must be in range [0, INT64_MAX/1000000]."},
		"33 defined columns": {func(r *otspb.CreateTableRequest) {
			r.TableMeta.DefinedColumn = slices.Repeat([]*otspb.DefinedColumnSchema{column("x")}, 33)
		}, "400 OTSParameterInvalid The number of defined columns must be in range: [0, 32]."},
		"a defined column that cannot be": {func(r *otspb.CreateTableRequest) {
			r.TableMeta.DefinedColumn = []*otspb.DefinedColumnSchema{column("")}
		}, "400 OTSParameterInvalid Invalid column name: ''."},
		"a defined column with a key name": {func(r *otspb.CreateTableRequest) {
			r.TableMeta.DefinedColumn = []*otspb.DefinedColumnSchema{column("n")}
		}, "400 OTSParameterInvalid Duplicated attribute column name with primary key column: n."},
		"no options":                {func(r *otspb.CreateTableRequest) { r.TableOptions = nil }, "400 OTSParameterInvalid Time-to-live is missing while creating table."},
		"no time to live":           {options(nil, proto.Int32(1)), "400 OTSParameterInvalid Time-to-live is missing while creating table."},
		"no number of versions":     {options(proto.Int32(-1), nil), "400 OTSParameterInvalid MaxVersions is missing while creating table."},
		"a time to live of nothing": {options(proto.Int32(0), proto.Int32(1)), "400 OTSParameterInvalid TimeToLive cannot be 0 or less than -1."},
		"a time to live below -1":   {options(proto.Int32(-2), proto.Int32(1)), "400 OTSParameterInvalid TimeToLive cannot be 0 or less than -1."},
		"no versions":               {options(proto.Int32(-1), proto.Int32(0)), "400 OTSParameterInvalid The maximum versions cannot be less than or equal to 0"},
		"a negative throughput":     {func(r *otspb.CreateTableRequest) { r.ReservedThroughput.CapacityUnit.Write = proto.Int32(-3) }, "400 OTSParameterInvalid Invalid Capacity Unit:-3 . Capacity Unit must be nonnegative."},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewServer(t, nil)
			require.Nil(t, call(t, s, "CreateTable", tableRequest("taken", nil, nil), &otspb.CreateTableResponse{}))
			before := s.Dump()
			request := tableRequest("new", nil, nil)
			c.change(request)
			refused := call(t, s, "CreateTable", request, &otspb.CreateTableResponse{})
			require.NotNil(t, refused)
			require.Equal(t, c.want, fmt.Sprint(refused.StatusCode, " ", refused.Code, " ", refused.Message))
			require.Equal(t, before, s.Dump())
		})
	}
}

func TestThereAreNoMoreTablesThanTheQuota(t *testing.T) {
	for name, c := range map[string]struct {
		options *Options
		tables  int
	}{
		"the service's": {nil, 64},
		"another":       {&Options{MaxTables: 3}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewServer(t, c.options)
			create := func(i int, indexes ...*otspb.IndexMeta) *Refusal {
				request := tableRequest(fmt.Sprint("t", i), &otspb.TableOptions{TimeToLive: proto.Int32(-1), MaxVersions: proto.Int32(1)}, nil)
				request.IndexMetas = indexes
				return call(t, s, "CreateTable", request, &otspb.CreateTableResponse{})
			}
			index := &otspb.IndexMeta{
				Name: proto.String("i"), PrimaryKey: []string{"n"},
				IndexUpdateMode: otspb.IndexUpdateMode_IUM_ASYNC_INDEX.Enum(), IndexType: otspb.IndexType_IT_GLOBAL_INDEX.Enum(),
			}
			for i := range c.tables - 1 {
				require.Nil(t, create(i))
			}
			full := &Refusal{403, "OTSQuotaExhausted", fmt.Sprintf("Number of tables exceeds the quota:%d.", c.tables)}
			require.Equal(t, full, create(c.tables, index), "an index counts as a table")
			require.Nil(t, create(c.tables))
			require.Equal(t, full, create(c.tables+1))
			require.Nil(t, call(t, s, "DeleteTable", &otspb.DeleteTableRequest{TableName: proto.String("t0")}, &otspb.DeleteTableResponse{}))
			require.Nil(t, create(c.tables+1))
		})
	}
}
