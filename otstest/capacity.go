package otstest

import (
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

const (
	capacityUnit  = 4 << 10 // bytes that a unit reads or writes
	timestampSize = 8
)

// dataSize returns how many bytes of data a row has, names and values, as the
// service counts capacity. A value that is deleted has none. (Source: the official
// Python SDK's tests, lib/api_test_base.py, get_row_size.)
func dataSize(r *pb.Row) int {
	size := 0
	for _, cells := range [][]pb.Cell{r.PrimaryKey, r.Columns} {
		for i := range cells {
			size += len(cells[i].Name)
			if !cells[i].Absent {
				size += valueSize(cells[i].Value)
			}
		}
	}
	return size
}

func valueSize(v pb.Value) int {
	switch v.Kind() {
	case pb.Integer, pb.Double:
		return 8
	case pb.Boolean:
		return 1
	}
	return len(v.Text())
}

// sentSize returns how many bytes a row counts for the limit of a write: its
// data, and the timestamps that are given. (Source: the official Java SDK's tests,
// RestrictedItemTest, testCase48.)
func sentSize(r *pb.Row) int {
	size := dataSize(r)
	for i := range r.Columns {
		if r.Columns[i].HasTimestamp {
			size += timestampSize
		}
	}
	return size
}

func consumed(read, write int32) *otspb.ConsumedCapacity {
	return &otspb.ConsumedCapacity{CapacityUnit: &otspb.CapacityUnit{Read: &read, Write: &write}}
}

// units returns the capacity units that so many bytes take, at least one.
func units(bytes int) int32 {
	return int32(max(1, (bytes+capacityUnit-1)/capacityUnit)) //nolint:gosec // a body has at most 5 MB, a range 4 MB and a row
}
