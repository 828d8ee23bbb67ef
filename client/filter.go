package client

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// A Filter chooses rows by their columns, at the service. It is a
// [ColumnFilter], a [ColumnPagination], or what [And], [Or] and [Not] make of
// others. Filters are immutable once passed; any number of calls may share one.
type Filter interface {
	// filter checks the filter and returns it on the wire.
	filter(t text) (*otspb.Filter, error)
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

func (f ColumnFilter) filter(t text) (*otspb.Filter, error) {
	if f.Is < Equal || f.Is > LessOrEqual {
		return nil, &otsauth.ConfigError{Field: "filter on " + f.Name, Problem: "has no comparator; set Is to Equal, Less and so on"}
	}
	cell, err := t.cell(f.Name, f.Value)
	if err != nil {
		return nil, err
	}
	if k := f.Value.Kind(); k > KindBytes {
		return nil, &otsauth.ConfigError{Field: "filter on " + f.Name, Problem: fmt.Sprintf("compares with %s; use an int, float, bool, string or bytes", k)}
	}
	return wrapFilter(otspb.FilterType_FT_SINGLE_COLUMN_VALUE, &otspb.SingleColumnValueFilter{
		Comparator:        otspb.ComparatorType(f.Is).Enum(),
		ColumnName:        &cell.Name,
		ColumnValue:       pb.AppendValue(nil, cell.Value),
		FilterIfMissing:   &f.FailIfMissing,
		LatestVersionOnly: proto.Bool(!f.AllVersions),
	})
}

// composite is what And, Or and Not return.
type composite struct {
	operator otspb.LogicalOperator
	parts    []Filter
}

// And passes the rows that all filters pass; it needs two at least.
func And(filters ...Filter) Filter { return composite{otspb.LogicalOperator_LO_AND, filters} }

// Or passes the rows that any of the filters passes; it needs two at least.
func Or(filters ...Filter) Filter { return composite{otspb.LogicalOperator_LO_OR, filters} }

// Not passes the rows that f does not.
func Not(f Filter) Filter { return composite{otspb.LogicalOperator_LO_NOT, []Filter{f}} }

func (f composite) filter(t text) (*otspb.Filter, error) {
	if f.operator != otspb.LogicalOperator_LO_NOT && len(f.parts) < 2 {
		return nil, &otsauth.ConfigError{Field: "filter", Problem: "And and Or combine two filters at least; pass a single one as it is"}
	}
	message := &otspb.CompositeColumnValueFilter{Combinator: &f.operator, SubFilters: make([]*otspb.Filter, len(f.parts))}
	for i, part := range f.parts {
		part, err := comparison(part, "a part of And, Or or Not")
		if err != nil {
			return nil, err
		}
		if message.SubFilters[i], err = part.filter(t); err != nil {
			return nil, err
		}
	}
	return wrapFilter(otspb.FilterType_FT_COMPOSITE_COLUMN_VALUE, message)
}

// A ColumnPagination passes all rows, each with no more than Limit of its
// columns, the first Offset of them left out. Conditions cannot have one.
type ColumnPagination struct{ Offset, Limit int }

func (f ColumnPagination) filter(text) (*otspb.Filter, error) {
	if f.Offset < 0 || f.Offset > math.MaxInt32 || f.Limit < 1 || f.Limit > math.MaxInt32 {
		return nil, &otsauth.ConfigError{Field: "ColumnPagination", Problem: fmt.Sprintf("has offset %d and limit %d; they are at least 0 and 1", f.Offset, f.Limit)}
	}
	return wrapFilter(otspb.FilterType_FT_COLUMN_PAGINATION, &otspb.ColumnPaginationFilter{
		Offset: proto.Int32(int32(f.Offset)), Limit: proto.Int32(int32(f.Limit)),
	})
}

// plain returns a filter that was given by a pointer, which is a Filter too, as
// it is. One that is nil is an error.
func plain(f Filter) (Filter, error) {
	switch p := f.(type) {
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
		return f, nil
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

func wrapFilter(kind otspb.FilterType, message proto.Message) (*otspb.Filter, error) {
	content, err := proto.Marshal(message)
	if err != nil {
		return nil, &otsauth.ConfigError{Field: "filter", Problem: "cannot be encoded: " + err.Error()}
	}
	return &otspb.Filter{Type: &kind, Filter: content}, nil
}

// encodeFilter returns a filter on the wire; nil is none.
func encodeFilter(t text, f Filter) ([]byte, error) {
	if f == nil {
		return nil, nil
	}
	f, err := plain(f)
	if err != nil {
		return nil, err
	}
	message, err := f.filter(t)
	if err != nil {
		return nil, err
	}
	content, err := proto.Marshal(message)
	if err != nil {
		return nil, &otsauth.ConfigError{Field: "filter", Problem: "cannot be encoded: " + err.Error()}
	}
	return content, nil
}
