package client

import (
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// A Filter chooses rows by their columns, at the service. It is a
// [ColumnFilter], a [ColumnPagination], or what [And], [Or] and [Not] make of
// others; anything else is refused. Any number of calls may share one.
type Filter interface {
	// filter checks the filter and returns its type and content on the wire.
	filter(t text) (otspb.FilterType, proto.Message, error)
}

// A Comparator compares a column with a value.
type Comparator int

// The comparators, as in column == value.
const (
	Equal Comparator = iota + 1
	NotEqual
	Greater
	GreaterOrEqual
	Less
	LessOrEqual
)

// A ColumnFilter compares one attribute column with a value.
type ColumnFilter struct {
	Name  string
	Is    Comparator
	Value Value
	// FailIfMissing rejects rows without the column. False: they pass.
	FailIfMissing bool
	// AllVersions passes a row if any version of the column does. False: only
	// the newest counts.
	AllVersions bool
}

func (f ColumnFilter) filter(t text) (otspb.FilterType, proto.Message, error) {
	if f.Is < Equal || f.Is > LessOrEqual {
		return 0, nil, &otsauth.ConfigError{Field: "filter on " + f.Name, Problem: "has no comparator; set Is to Equal, Less and so on"}
	}
	cell, err := t.cell(f.Name, f.Value)
	if err != nil {
		return 0, nil, err
	}
	if k := f.Value.Kind(); k > KindBytes {
		return 0, nil, &otsauth.ConfigError{Field: "filter on " + f.Name, Problem: fmt.Sprintf("compares with %s; use an int, float, bool, string or bytes", k)}
	}
	return otspb.FilterType_FT_SINGLE_COLUMN_VALUE, &otspb.SingleColumnValueFilter{
		Comparator:        otspb.ComparatorType(f.Is).Enum(),
		ColumnName:        &cell.Name,
		ColumnValue:       pb.AppendValue(nil, cell.Value),
		FilterIfMissing:   &f.FailIfMissing,
		LatestVersionOnly: proto.Bool(!f.AllVersions),
	}, nil
}

// composite is what And, Or and Not return.
type composite struct {
	operator otspb.LogicalOperator
	parts    []Filter
}

// And passes the rows that all filters pass. One filter is that filter, and none is
// refused. The slice may be used for something else afterwards.
func And(filters ...Filter) Filter {
	return composite{otspb.LogicalOperator_LO_AND, slices.Clone(filters)}
}

// Or passes the rows that any of the filters passes. One filter is that filter, and
// none is refused. The slice may be used for something else afterwards.
func Or(filters ...Filter) Filter {
	return composite{otspb.LogicalOperator_LO_OR, slices.Clone(filters)}
}

// Not passes the rows that f does not.
func Not(f Filter) Filter { return composite{otspb.LogicalOperator_LO_NOT, []Filter{f}} }

func (f composite) filter(t text) (otspb.FilterType, proto.Message, error) {
	if len(f.parts) == 0 {
		return 0, nil, &otsauth.ConfigError{Field: "filter", Problem: "And and Or need a filter at least; leave the filter out where every row is to pass"}
	}
	message := &otspb.CompositeColumnValueFilter{Combinator: &f.operator}
	for _, part := range f.parts {
		part, err := comparison(part, "a part of And, Or or Not")
		if err != nil {
			return 0, nil, err
		}
		if len(f.parts) == 1 && f.operator != otspb.LogicalOperator_LO_NOT { // the service refuses And and Or of one
			return part.filter(t)
		}
		onWire, err := t.filter(part)
		if err != nil {
			return 0, nil, err
		}
		message.SubFilters = append(message.SubFilters, onWire)
	}
	return otspb.FilterType_FT_COMPOSITE_COLUMN_VALUE, message, nil
}

// A ColumnPagination passes all rows, each with no more than Limit of its
// columns, the first Offset of them left out. Conditions cannot have one.
type ColumnPagination struct{ Offset, Limit int }

func (f ColumnPagination) filter(text) (otspb.FilterType, proto.Message, error) {
	if f.Offset < 0 || f.Offset > math.MaxInt32 || f.Limit < 1 || f.Limit > math.MaxInt32 {
		return 0, nil, &otsauth.ConfigError{Field: "ColumnPagination", Problem: fmt.Sprintf("has offset %d and limit %d; they are at least 0 and 1", f.Offset, f.Limit)}
	}
	return otspb.FilterType_FT_COLUMN_PAGINATION, &otspb.ColumnPaginationFilter{
		Offset: proto.Int32(int32(f.Offset)), Limit: proto.Int32(int32(f.Limit)),
	}, nil
}

// plain returns a filter that was given by a pointer, which is a Filter too, as
// it is. One that is nil is an error, and so is a type that embeds a Filter: it has
// the method, and may have no filter.
func plain(f Filter) (Filter, error) {
	switch p := f.(type) {
	case ColumnFilter, ColumnPagination, composite:
		return f, nil
	case *ColumnFilter:
		if p != nil {
			return *p, nil
		}
	case *ColumnPagination:
		if p != nil {
			return *p, nil
		}
	case nil:
	default:
		return nil, &otsauth.ConfigError{Field: "filter", Problem: fmt.Sprintf("is a %T; use a ColumnFilter, a ColumnPagination, or And, Or and Not of them", f)}
	}
	return nil, &otsauth.ConfigError{Field: "filter", Problem: "or a part of it is nil; leave it out instead"}
}

// comparison is plain where a pagination cannot be.
func comparison(f Filter, where string) (Filter, error) {
	f, err := plain(f)
	if _, is := f.(ColumnPagination); is {
		return nil, &otsauth.ConfigError{Field: "ColumnPagination", Problem: "cannot be " + where}
	}
	return f, err
}

// filter returns a filter that is plain on the wire.
func (t text) filter(f Filter) (*otspb.Filter, error) {
	kind, message, err := f.filter(t)
	if err != nil {
		return nil, err
	}
	content, err := marshalFilter(message)
	return &otspb.Filter{Type: &kind, Filter: content}, err
}

// encodeFilter returns a filter as requests carry it; nil is none.
func encodeFilter(t text, f Filter) ([]byte, error) {
	if f == nil {
		return nil, nil
	}
	f, err := plain(f)
	if err != nil {
		return nil, err
	}
	onWire, err := t.filter(f)
	if err != nil {
		return nil, err
	}
	return marshalFilter(onWire)
}

func marshalFilter(message proto.Message) ([]byte, error) {
	content, err := proto.Marshal(message)
	if err != nil {
		return nil, &otsauth.ConfigError{Field: "filter", Problem: "cannot be encoded: " + err.Error()}
	}
	return content, nil
}
