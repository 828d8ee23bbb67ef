package otstest

import (
	"math"
	"regexp"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// How many single filters a read and a condition may have. (Source: the
// documentation's limits.)
const (
	maxFilters    = 32
	maxConditions = 10
)

// A filter says of a row's columns whether it is for the row.
type filter interface {
	passes(columns map[string][]version) bool
}

// decodeFilter parses the filter of a read. Nothing in it makes nil.
// A pagination can only stand alone, and is returned beside.
func decodeFilter(data []byte) (filter, *otspb.ColumnPaginationFilter, *refusal) {
	if len(data) == 0 {
		return nil, nil, nil
	}
	message := &otspb.Filter{}
	if err := proto.Unmarshal(data, message); err != nil {
		return nil, nil, invalid("Deserialize filter failed.")
	}
	if message.GetType() == otspb.FilterType_FT_COLUMN_PAGINATION {
		page, refused := decodePagination(message.GetFilter())
		return nil, page, refused
	}
	f, refused := (&filterDecoder{limit: maxFilters}).decode(message)
	return f, nil, refused
}

// decodeColumnCondition parses the column condition of a write.
func decodeColumnCondition(data []byte) (filter, *refusal) {
	message := &otspb.Filter{}
	if err := proto.Unmarshal(data, message); err != nil {
		return nil, invalid("Deserialize filter failed.")
	}
	if message.GetType() == otspb.FilterType_FT_COLUMN_PAGINATION {
		return nil, invalid("Invalid type of filter: %s.", message.GetType())
	}
	return (&filterDecoder{limit: maxConditions}).decode(message)
}

func decodePagination(data []byte) (*otspb.ColumnPaginationFilter, *refusal) {
	page := &otspb.ColumnPaginationFilter{}
	switch err := proto.Unmarshal(data, page); {
	case err != nil:
		return nil, invalid("Deserialize column pagination filter failed.")
	case page.GetOffset() < 0:
		return nil, invalid("Offset in ColumnPaginationFilter must be greater than or equal to 0.")
	case page.GetLimit() <= 0:
		return nil, invalid("Limit in ColumnPaginationFilter must be greater than 0.")
	}
	return page, nil
}

// filterDecoder counts what it parses.
type filterDecoder struct {
	limit     int // how many single filters there may be
	singles   int
	composite int // bounded too, for else NOT could be nested without end
}

func (d *filterDecoder) decode(message *otspb.Filter) (filter, *refusal) {
	switch message.GetType() {
	case otspb.FilterType_FT_SINGLE_COLUMN_VALUE:
		d.singles++
	case otspb.FilterType_FT_COMPOSITE_COLUMN_VALUE:
		d.composite++
	default:
		return nil, invalid("Invalid type of sub-filter: %s.", message.GetType())
	}
	switch {
	case d.singles > d.limit || d.composite > 2*d.limit:
		return nil, invalid("The count of filter exceeds the max：%d.", d.limit)
	case message.GetType() == otspb.FilterType_FT_SINGLE_COLUMN_VALUE:
		return decodeSingle(message.GetFilter())
	}
	return d.decodeComposite(message.GetFilter())
}

func (d *filterDecoder) decodeComposite(data []byte) (filter, *refusal) {
	message := &otspb.CompositeColumnValueFilter{}
	if err := proto.Unmarshal(data, message); err != nil {
		return nil, invalid("Deserialize composite filter failed.")
	}
	switch n := len(message.GetSubFilters()); {
	case !isKnown(message.GetCombinator()):
		return nil, invalid("Deserialize composite filter failed.")
	case message.GetCombinator() == otspb.LogicalOperator_LO_NOT && n != 1:
		return nil, invalid("Invalid NOT operator: the number of sub-filters must be 1.")
	case message.GetCombinator() != otspb.LogicalOperator_LO_NOT && n < 2:
		return nil, invalid("Invalid AND/OR operator: the number of sub-filters must be 2.")
	}
	f := composite{operator: message.GetCombinator()}
	for _, m := range message.GetSubFilters() {
		sub, refused := d.decode(m)
		if refused != nil {
			return nil, refused
		}
		f.filters = append(f.filters, sub)
	}
	return f, nil
}

// composite joins filters.
type composite struct {
	operator otspb.LogicalOperator
	filters  []filter
}

func (f composite) passes(columns map[string][]version) bool {
	passes := func(f filter) bool { return f.passes(columns) }
	switch f.operator {
	case otspb.LogicalOperator_LO_NOT:
		return !passes(f.filters[0])
	case otspb.LogicalOperator_LO_OR:
		return slices.ContainsFunc(f.filters, passes)
	}
	return !slices.ContainsFunc(f.filters, func(f filter) bool { return !passes(f) })
}

// single compares one column.
type single struct {
	message *otspb.SingleColumnValueFilter
	value   pb.Value
	pattern *regexp.Regexp // nil: the value is compared as it is
}

func decodeSingle(data []byte) (filter, *refusal) {
	f := single{message: &otspb.SingleColumnValueFilter{}}
	if err := proto.Unmarshal(data, f.message); err != nil {
		return nil, invalid("Deserialize relation filter failed.")
	}
	if refused := checkColumn(f.message.GetColumnName()); refused != nil {
		return nil, refused
	}
	var err error
	if f.value, err = pb.ParseValue(f.message.GetColumnValue()); err != nil {
		return nil, refuseSyntax(err)
	}
	if kind := f.value.Kind(); kind == pb.Null || kind > pb.Blob {
		return nil, invalid("%s is an invalid type for the attribute column.", kind)
	}
	if !isKnown(f.message.GetComparator()) {
		return nil, invalid("Invalid relation operator: %d.", f.message.GetComparator())
	}
	if rule := f.message.GetValueTransRule(); rule != nil {
		if f.pattern, err = regexp.Compile(rule.GetRegex()); err != nil || !isKnown(rule.GetCastType()) {
			return nil, invalid("Deserialize relation filter failed.")
		}
	}
	return f, nil
}

func (f single) passes(columns map[string][]version) bool {
	versions := columns[f.message.GetColumnName()]
	if len(versions) == 0 {
		return !f.message.GetFilterIfMissing()
	}
	if f.message.GetLatestVersionOnly() {
		versions = versions[:1]
	}
	return slices.ContainsFunc(versions, func(v version) bool { return f.holds(v.value) })
}

// holds compares one value. Values of different types are different, and
// neither is less.
func (f single) holds(v pb.Value) bool {
	if f.pattern != nil {
		var ok bool
		if v, ok = f.transfer(v); !ok {
			return false
		}
	}
	if v.Kind() != f.value.Kind() {
		return f.message.GetComparator() == otspb.ComparatorType_CT_NOT_EQUAL
	}
	c := v.Compare(f.value)
	switch f.message.GetComparator() {
	case otspb.ComparatorType_CT_EQUAL:
		return c == 0
	case otspb.ComparatorType_CT_NOT_EQUAL:
		return c != 0
	case otspb.ComparatorType_CT_GREATER_THAN:
		return c > 0
	case otspb.ComparatorType_CT_GREATER_EQUAL:
		return c >= 0
	case otspb.ComparatorType_CT_LESS_THAN:
		return c < 0
	case otspb.ComparatorType_CT_LESS_EQUAL:
		return c <= 0
	}
	return false
}

// transfer takes the part of a text that the rule's pattern matches, its first
// group if there is one, and casts it.
func (f single) transfer(v pb.Value) (pb.Value, bool) {
	match := f.pattern.FindStringSubmatch(v.Text())
	if v.Kind() != pb.String || match == nil {
		return pb.Value{}, false
	}
	text := match[min(1, len(match)-1)]
	switch f.message.GetValueTransRule().GetCastType() {
	case otspb.VariantType_VT_INTEGER:
		n, err := strconv.ParseInt(text, 10, 64)
		return pb.IntValue(n), err == nil
	case otspb.VariantType_VT_DOUBLE:
		n, err := strconv.ParseFloat(text, 64)
		return pb.DoubleValue(n), err == nil && !math.IsNaN(n)
	case otspb.VariantType_VT_BLOB:
		return pb.BlobValue(text), true
	}
	return pb.StringValue(text), true
}
