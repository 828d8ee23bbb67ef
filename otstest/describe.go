package otstest

import (
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
)

func (s *Server) describeTable(req *otspb.DescribeTableRequest) (proto.Message, *refusal) {
	refused := checkName(req.GetTableName())
	if refused != nil {
		return nil, refused
	}
	var response proto.Message
	s.store.read(req.GetTableName(), func(t *table) {
		if refused = checkTable(t, req.GetTableName()); refused != nil {
			return
		}
		response = &otspb.DescribeTableResponse{
			TableMeta:                 proto.CloneOf(t.meta),
			ReservedThroughputDetails: t.throughputDetails(),
			TableOptions:              proto.CloneOf(t.options),
			TableStatus:               otspb.TableStatus_ACTIVE.Enum(),
			StreamDetails:             t.streamDetails(),
			IndexMetas:                t.indexes,
			CreationTime:              proto.Int64(t.created.UnixMicro()),
		}
	})
	return response, refused
}

func (s *Server) updateTable(req *otspb.UpdateTableRequest) (proto.Message, *refusal) {
	refused := checkName(req.GetTableName())
	if refused == nil {
		refused = checkUpdate(req)
	}
	if refused != nil {
		return nil, refused
	}
	var response proto.Message
	s.store.write(req.GetTableName(), func(t *table) {
		if refused = checkWritable(t, req.GetTableName()); refused != nil {
			return
		}
		options := proto.CloneOf(t.options)
		proto.Merge(options, req.GetTableOptions())
		if refused = checkIndexed(t.indexes, options); refused != nil {
			return
		}
		if cu := req.GetReservedThroughput().GetCapacityUnit(); cu != nil {
			proto.Merge(t.throughput, cu)
			t.adjusted = s.opts.Now()
		}
		if req.GetTableOptions() != nil {
			t.dropDead(s.opts.Now()) // a longer time to live does not bring back what was lost
			t.options = options
			t.trim()
		}
		if stream := req.GetStreamSpec(); stream != nil {
			t.stream, t.streamed = proto.CloneOf(stream), s.opts.Now()
		}
		response = &otspb.UpdateTableResponse{
			ReservedThroughputDetails: t.throughputDetails(),
			TableOptions:              proto.CloneOf(t.options),
			StreamDetails:             t.streamDetails(),
		}
	})
	return response, refused
}

func checkUpdate(req *otspb.UpdateTableRequest) *refusal {
	options, cu := req.GetTableOptions(), req.GetReservedThroughput().GetCapacityUnit()
	switch {
	case cu.GetRead() < 0 || cu.GetWrite() < 0:
		return invalid("Invalid Capacity Unit for UpdateTable: Either read(%d) or write(%d) should be non-negative.", cu.GetRead(), cu.GetWrite())
	case options != nil && proto.Size(options) == 0:
		return invalid("No parameter is specified in table options.")
	case options != nil:
		return checkGiven(options)
	}
	return nil
}

func (s *Server) deleteTable(req *otspb.DeleteTableRequest) (proto.Message, *refusal) {
	name := req.GetTableName()
	if refused := checkName(name); refused != nil {
		return nil, refused
	}
	return &otspb.DeleteTableResponse{}, s.store.remove(name)
}

func (t *table) throughputDetails() *otspb.ReservedThroughputDetails {
	return &otspb.ReservedThroughputDetails{
		CapacityUnit:     proto.CloneOf(t.throughput),
		LastIncreaseTime: proto.Int64(t.adjusted.Unix()),
	}
}

// streamDetails are always there: the official Go SDK stops the program in
// UpdateTable without them.
func (t *table) streamDetails() *otspb.StreamDetails {
	details := &otspb.StreamDetails{EnableStream: proto.Bool(t.stream.GetEnableStream())}
	if t.stream.GetEnableStream() {
		details.StreamId = proto.String(t.meta.GetTableName() + "_stream")
		details.ExpirationTime = proto.Int32(t.stream.GetExpirationTime())
		details.LastEnableTime = proto.Int64(t.streamed.UnixMicro())
		details.ColumnsToGet = t.stream.GetColumnsToGet()
	}
	return details
}
