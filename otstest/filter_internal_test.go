package otstest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

func TestFilters(t *testing.T) {
	s, _ := newTable(t, nil)
	put(t, s, key("a", 1), at(integer("age", 7), 2000), at(integer("age", 9), 1000), at(text("name", "cloud-42"), 2000), at(integer("size", 3), 2000))
	const (
		eq, ne = otspb.ComparatorType_CT_EQUAL, otspb.ComparatorType_CT_NOT_EQUAL
		gt, ge = otspb.ComparatorType_CT_GREATER_THAN, otspb.ComparatorType_CT_GREATER_EQUAL
		lt, le = otspb.ComparatorType_CT_LESS_THAN, otspb.ComparatorType_CT_LESS_EQUAL

		not, and, or = otspb.LogicalOperator_LO_NOT, otspb.LogicalOperator_LO_AND, otspb.LogicalOperator_LO_OR
	)
	age := func(c otspb.ComparatorType, v int64) *otspb.Filter { return compare("age", c, pb.IntValue(v)) }
	single := func(column string, v pb.Value, missing, latest bool, rule *otspb.ValueTransferRule) *otspb.Filter {
		return compareAs(&otspb.SingleColumnValueFilter{
			Comparator: eq.Enum(), ColumnName: &column, ColumnValue: pb.AppendValue(nil, v), FilterIfMissing: &missing, LatestVersionOnly: &latest, ValueTransRule: rule,
		})
	}
	rule := func(regex string, cast otspb.VariantType) *otspb.ValueTransferRule {
		return &otspb.ValueTransferRule{Regex: &regex, CastType: cast.Enum()}
	}
	for name, c := range map[string]struct {
		filter *otspb.Filter
		passes bool
	}{
		"an equal value is equal":                         {age(eq, 7), true},
		"another value is not equal":                      {age(eq, 8), false},
		"another value differs":                           {age(ne, 8), true},
		"an equal value does not differ":                  {age(ne, 7), false},
		"a greater value is greater":                      {age(gt, 6), true},
		"an equal value is not greater":                   {age(gt, 7), false},
		"an equal value is greater or equal":              {age(ge, 7), true},
		"a smaller value is not greater or equal":         {age(ge, 8), false},
		"a smaller value is less":                         {age(lt, 8), true},
		"an equal value is not less":                      {age(lt, 7), false},
		"an equal value is less or equal":                 {age(le, 7), true},
		"a greater value is not less or equal":            {age(le, 6), false},
		"a value of another type is not equal":            {compare("age", eq, pb.StringValue("7")), false},
		"a value of another type differs":                 {compare("age", ne, pb.StringValue("7")), true},
		"an older version does not count":                 {single("age", pb.IntValue(9), true, true, nil), false},
		"an older version counts if all are asked for":    {single("age", pb.IntValue(9), true, false, nil), true},
		"a missing column fails if asked to":              {single("none", pb.IntValue(9), true, true, nil), false},
		"a missing column passes otherwise":               {single("none", pb.IntValue(9), false, true, nil), true},
		"a part of a text is compared as an integer":      {single("name", pb.IntValue(42), true, true, rule(`cloud-(\d+)`, otspb.VariantType_VT_INTEGER)), true},
		"a part of a text is compared as a double":        {single("name", pb.DoubleValue(42), true, true, rule(`\d+`, otspb.VariantType_VT_DOUBLE)), true},
		"a part of a text is compared as a text":          {single("name", pb.StringValue("cloud"), true, true, rule(`[a-z]+`, otspb.VariantType_VT_STRING)), true},
		"a part of a text that is no number does not":     {single("name", pb.IntValue(42), true, true, rule(`[a-z]+`, otspb.VariantType_VT_INTEGER)), false},
		"a text that the pattern does not match does not": {single("name", pb.StringValue("x"), true, true, rule(`x`, otspb.VariantType_VT_STRING)), false},
		"not turns around":                                {join(not, age(eq, 8)), true},
		"and needs both":                                  {join(and, age(eq, 7), age(eq, 8)), false},
		"and with both passes":                            {join(and, age(gt, 6), age(lt, 8)), true},
		"and takes more than two":                         {join(and, age(gt, 6), age(lt, 8), age(eq, 1)), false},
		"or needs one":                                    {join(or, age(eq, 8), age(eq, 7)), true},
		"or with none fails":                              {join(or, age(eq, 8), age(eq, 9)), false},
		"joined filters nest":                             {join(and, join(not, age(eq, 8)), join(or, age(eq, 1), age(eq, 7))), true},
	} {
		t.Run(name, func(t *testing.T) {
			read := &otspb.GetRowRequest{TableName: proto.String("t"), PrimaryKey: encoded(key("a", 1)), TimeRange: &otspb.TimeRange{StartTime: proto.Int64(0), EndTime: proto.Int64(1 << 40)}, Filter: wire(c.filter)}
			got := &otspb.GetRowResponse{}
			require.Nil(t, call(t, s, "GetRow", read, got))
			require.Equal(t, c.passes, len(got.GetRow()) > 0)

			refused := update(t, s, key("a", 1), expects(otspb.RowExistenceExpectation_IGNORE, wire(c.filter)), at(integer("other", 1), 1))
			if c.passes {
				require.Nil(t, refused)
			} else {
				require.Equal(t, &Refusal{403, "OTSConditionCheckFail", "Condition check failed."}, refused)
			}
		})
	}
}

func TestPagination(t *testing.T) {
	s, _ := newTable(t, nil)
	put(t, s, key("a", 1), integer("a", 1), integer("b", 2), integer("c", 3))
	for name, c := range map[string]struct {
		offset, limit int32
		want          string
	}{
		"the first columns":         {0, 2, "a/1 a=1 b=2"},
		"the columns in the middle": {1, 1, "a/1 b=2"},
		"fewer are left":            {2, 5, "a/1 c=3"},
		"none is left, but the key": {7, 5, "a/1"},
	} {
		t.Run(name, func(t *testing.T) {
			read := &otspb.GetRowRequest{TableName: proto.String("t"), PrimaryKey: encoded(key("a", 1)), MaxVersions: proto.Int32(1), Filter: wire(page(c.offset, c.limit))}
			got := &otspb.GetRowResponse{}
			require.Nil(t, call(t, s, "GetRow", read, got))
			require.Equal(t, []string{c.want}, cells(t, got.GetRow()))
		})
	}
}

func TestRefusedFilters(t *testing.T) {
	age := compare("age", otspb.ComparatorType_CT_EQUAL, pb.IntValue(1))
	deep := age
	for range 100 {
		deep = join(otspb.LogicalOperator_LO_NOT, deep)
	}
	cast := &otspb.SingleColumnValueFilter{
		Comparator: otspb.ComparatorType_CT_EQUAL.Enum(), ColumnName: proto.String("a"), ColumnValue: pb.AppendValue(nil, pb.IntValue(1)),
		FilterIfMissing: proto.Bool(true), LatestVersionOnly: proto.Bool(true),
		ValueTransRule: &otspb.ValueTransferRule{Regex: proto.String(".*"), CastType: otspb.VariantType(99).Enum()},
	}
	broken := func(kind otspb.FilterType) *otspb.Filter {
		return &otspb.Filter{Type: kind.Enum(), Filter: []byte{0xff}}
	}
	for name, c := range map[string]struct {
		filter  []byte
		message string
	}{
		"a filter that is no message":        {[]byte{0xff}, "Deserialize filter failed."},
		"a single filter that is no message": {wire(broken(otspb.FilterType_FT_SINGLE_COLUMN_VALUE)), "Deserialize relation filter failed."},
		"a composite that is no message":     {wire(broken(otspb.FilterType_FT_COMPOSITE_COLUMN_VALUE)), "Deserialize composite filter failed."},
		"a pagination that is no message":    {wire(broken(otspb.FilterType_FT_COLUMN_PAGINATION)), "Deserialize column pagination filter failed."},
		"a negative offset":                  {wire(page(-1, 1)), "Offset in ColumnPaginationFilter must be greater than or equal to 0."},
		"a limit of nothing":                 {wire(page(0, 0)), "Limit in ColumnPaginationFilter must be greater than 0."},
		"not of two":                         {wire(join(otspb.LogicalOperator_LO_NOT, age, age)), "Invalid NOT operator: the number of sub-filters must be 1."},
		"and of one":                         {wire(join(otspb.LogicalOperator_LO_AND, age)), "Invalid AND/OR operator: the number of sub-filters must be 2."},
		"a pagination inside":                {wire(join(otspb.LogicalOperator_LO_NOT, page(0, 1))), "Invalid type of sub-filter: FT_COLUMN_PAGINATION."},
		"more filters than there may be":     {wire(join(otspb.LogicalOperator_LO_OR, slices.Repeat([]*otspb.Filter{age}, 33)...)), "The count of filter exceeds the max：32."},
		"filters nested too deep":            {wire(deep), "The count of filter exceeds the max：32."},
		"a column name that cannot be":       {wire(compare("#a", otspb.ComparatorType_CT_EQUAL, pb.IntValue(1))), "Invalid column name: '#a'."},
		"a comparison that is none":          {wire(compare("a", 99, pb.IntValue(1))), "Invalid relation operator: 99."},
		"a combination that is none":         {wire(join(99, age, age)), "Deserialize composite filter failed."},
		"a cast to no type":                  {wire(compareAs(cast)), "Deserialize relation filter failed."},
		"a value without a type":             {wire(compare("a", otspb.ComparatorType_CT_EQUAL, pb.MarkValue(pb.Null))), "VT_NULL is an invalid type for the attribute column."},
		"a value of an unknown type":         {wire(compare("a", otspb.ComparatorType_CT_EQUAL, pb.MarkValue(99))), "data format is invalid, unknown variant type occured."},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, refused := decodeFilter(c.filter)
			require.NotNil(t, refused)
			require.Equal(t, Refusal{400, "OTSParameterInvalid", c.message}, refused.Refusal)
		})
	}
	_, refused := decodeColumnCondition(wire(page(0, 1)))
	require.NotNil(t, refused)
	require.Equal(t, "Invalid type of filter: FT_COLUMN_PAGINATION.", refused.Message)
}

// FuzzDecodeFilter: what is accepted can be evaluated; all else is refused
// with a message.
func FuzzDecodeFilter(f *testing.F) {
	age := compare("age", otspb.ComparatorType_CT_EQUAL, pb.IntValue(1))
	f.Add(wire(age))
	f.Add(wire(join(otspb.LogicalOperator_LO_AND, age, age)))
	f.Add(wire(page(1, 2)))
	f.Fuzz(func(t *testing.T, data []byte) {
		made, paged, refused := decodeFilter(data)
		switch {
		case refused != nil:
			if refused.Message == "" || made != nil || paged != nil {
				t.Fatalf("refused with %q, and yet %v and %v", refused.Message, made, paged)
			}
		case made != nil:
			columns := map[string][]version{"age": {{1, pb.IntValue(1)}}}
			if negated := (composite{otspb.LogicalOperator_LO_NOT, []filter{made}}); negated.passes(columns) == made.passes(columns) {
				t.Fatal("a row passes a filter and its negation")
			}
		case paged == nil && len(data) > 0:
			t.Fatal("a filter that is neither accepted nor refused")
		}
	})
}
