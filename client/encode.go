package client

import (
	"bytes"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// written is a request for one row on its way to the wire, in memory that is used
// again.
type written struct {
	kind      otspb.OperationType
	table     string
	row       pb.Row
	existence otspb.RowExistenceExpectation
	filter    []byte // of the condition, if it has one
	content   *otspb.ReturnContent
	free      []byte // what bodies have not taken yet
}

// writtenPool keeps the memory of requests. Names and values in it are cleared after a
// call.
//
//nolint:gochecknoglobals // a pool has no state that a caller could see
var writtenPool sync.Pool

// newWritten returns an empty request.
func newWritten() *written {
	if w, ok := writtenPool.Get().(*written); ok {
		return w
	}
	return new(written)
}

// encodeWrite checks a single write and returns the body of its request, which
// PutRow, UpdateRow and DeleteRow number alike: the table is field 1, the row 2,
// the condition 3, what is to be returned 4.
func encodeWrite(t text, w Write) (body []byte, cumulative bool, err error) {
	s := newWritten()
	defer s.release()
	if err := w.write(t, s); err != nil {
		return nil, false, err
	}
	body, err = s.encode()
	return body, s.isCumulative(), err
}

func (w *written) encode() ([]byte, error) {
	condition := 1 + protowire.SizeVarint(uint64(w.existence)) //nolint:gosec // 0 to 2
	if w.filter != nil {
		condition += 1 + protowire.SizeBytes(len(w.filter))
	}
	more := 1 + protowire.SizeBytes(condition)
	content := 0
	if w.content != nil {
		content = proto.Size(w.content)
		more += 1 + protowire.SizeBytes(content)
	}

	body := w.newBody(more)
	body = protowire.AppendTag(body, 3, protowire.BytesType)
	body = protowire.AppendVarint(body, uint64(condition)) //nolint:gosec // a length
	body = protowire.AppendTag(body, 1, protowire.VarintType)
	body = protowire.AppendVarint(body, uint64(w.existence)) //nolint:gosec // 0 to 2
	if w.filter != nil {
		body = appendField(body, 2, w.filter)
	}
	if w.content == nil {
		return body, nil
	}
	body = protowire.AppendTag(body, 4, protowire.BytesType)
	body = protowire.AppendVarint(body, uint64(content))
	body, err := proto.MarshalOptions{}.MarshalAppend(body, w.content)
	if err != nil {
		return nil, unencodable("a write", err)
	}
	return body, nil
}

// encodeGetRow checks a request and returns its body.
func encodeGetRow(t text, r *GetRowRequest) ([]byte, error) {
	w := newWritten()
	defer w.release()
	var err error
	if w.table, err = t.table(r.Table); err != nil {
		return nil, err
	}
	if w.row.PrimaryKey, err = t.appendKey(w.row.PrimaryKey, r.PrimaryKey); err != nil {
		return nil, err
	}
	chosen, err := (&choice{r.Columns, r.MaxVersions, r.Times, r.Filter, r.StartColumn, r.EndColumn}).message(t)
	if err != nil {
		return nil, err
	}
	const more = 16 // enough for a number of versions, all that most requests have besides
	body := w.newBody(more)
	for _, name := range chosen.columns {
		body = appendField(body, 3, name)
	}
	if chosen.times != nil {
		times, err := proto.Marshal(chosen.times)
		if err != nil {
			return nil, unencodable("GetRow", err)
		}
		body = appendField(body, 4, times)
	}
	if chosen.maxVersions != 0 {
		body = protowire.AppendTag(body, 5, protowire.VarintType)
		body = protowire.AppendVarint(body, uint64(chosen.maxVersions)) //nolint:gosec // at least 1
	}
	if chosen.filter != nil {
		body = appendField(body, 7, chosen.filter)
	}
	if chosen.start != nil {
		body = appendField(body, 8, *chosen.start)
	}
	if chosen.end != nil {
		body = appendField(body, 9, *chosen.end)
	}
	if r.Token != nil {
		body = appendField(body, 10, r.Token)
	}
	return body, nil
}

// newBody returns a body that has the table, field 1, and the row or key, field 2,
// and room for more bytes.
func (w *written) newBody(more int) []byte {
	row := pb.Size(&w.row)
	body := w.room(1 + protowire.SizeBytes(len(w.table)) + 1 + protowire.SizeBytes(row) + more)
	body = appendField(body, 1, w.table)
	body = protowire.AppendTag(body, 2, protowire.BytesType)
	body = protowire.AppendVarint(body, uint64(row)) //nolint:gosec // a length
	return pb.Append(body, &w.row)
}

// room returns memory for a body. Small ones are cut from a larger piece, an allocation
// for some dozens; no two share a byte.
func (w *written) room(size int) []byte {
	const piece, small = 16 << 10, 1 << 10
	if size > small {
		return make([]byte, 0, size)
	}
	if len(w.free) < size {
		w.free = make([]byte, piece)
	}
	body := w.free[:0:size]
	w.free = w.free[size:]
	return body
}

// appendField appends a field of bytes.
func appendField[T string | []byte](body []byte, number protowire.Number, content T) []byte {
	body = protowire.AppendTag(body, number, protowire.BytesType)
	body = protowire.AppendVarint(body, uint64(len(content)))
	return append(body, content...)
}

// A batchWrite is one row of a batch on the wire.
type batchWrite struct {
	table      string
	row        *otspb.RowInBatchWriteRowRequest
	key        []byte   // the beginning of the row, which names it; empty: the service does, by auto-increment
	changes    []Change // of an update
	cumulative bool
}

// undoes reports whether the write, done after a later one, would undo a part of it:
// they are of the same row, and not updates of other columns or increments alone.
func (b *batchWrite) undoes(later *batchWrite) bool {
	if len(b.key) == 0 || b.table != later.table || !bytes.Equal(b.key, later.key) {
		return false
	}
	return b.changes == nil || later.changes == nil || slices.ContainsFunc(b.changes, func(mine Change) bool {
		return slices.ContainsFunc(later.changes, func(its Change) bool {
			return mine.name == its.name && (mine.op != pb.Increment || its.op != pb.Increment)
		})
	})
}

// encodeInBatch checks a write and returns it as one of a batch.
func encodeInBatch(t text, w Write) (batchWrite, error) {
	switch w.(type) {
	case *PutRowRequest, *UpdateRowRequest, *DeleteRowRequest:
	case nil:
		return batchWrite{}, errNilRequest()
	default: // a type that embeds a Write has the method, and may have no request
		return batchWrite{}, &otsauth.ConfigError{Field: "request", Problem: fmt.Sprintf("is a %T; use a *PutRowRequest, *UpdateRowRequest or *DeleteRowRequest", w)}
	}
	s := newWritten()
	defer s.release()
	if err := w.write(t, s); err != nil {
		return batchWrite{}, err
	}
	encoded := batchWrite{table: s.table, cumulative: s.isCumulative(), row: &otspb.RowInBatchWriteRowRequest{
		Type: s.kind.Enum(), RowChange: pb.Append(nil, &s.row), ReturnContent: s.content,
		Condition: &otspb.Condition{RowExistence: s.existence.Enum(), ColumnCondition: s.filter},
	}}
	if update, is := w.(*UpdateRowRequest); is {
		encoded.changes = update.Changes
	}
	if !s.isNumbered() {
		const checksum = 2 // of a row that is a key alone; this one goes on
		encoded.key = encoded.row.GetRowChange()[:pb.Size(&pb.Row{PrimaryKey: s.row.PrimaryKey})-checksum]
	}
	return encoded, nil
}

// release forgets the request and keeps its memory, unless it is much.
func (w *written) release() {
	const most = 256
	key, columns := w.row.PrimaryKey, w.row.Columns
	if cap(key)+cap(columns) > most {
		return
	}
	clear(key)
	clear(columns)
	*w = written{row: pb.Row{PrimaryKey: key[:0], Columns: columns[:0]}, free: w.free}
	writtenPool.Put(w)
}

// releaseAll is release where a longer row may have been in it before the last one.
func (w *written) releaseAll() {
	w.row.PrimaryKey, w.row.Columns = w.row.PrimaryKey[:cap(w.row.PrimaryKey)], w.row.Columns[:cap(w.row.Columns)]
	w.release()
}

// isNumbered reports whether the service numbers the key.
func (w *written) isNumbered() bool {
	for i := range w.row.PrimaryKey { // a cell is too large to be handed to a function for each write
		if w.row.PrimaryKey[i].Value.Kind() == pb.AutoIncrement {
			return true
		}
	}
	return false
}

// isCumulative reports whether the write done twice does more than done once.
func (w *written) isCumulative() bool {
	switch w.kind {
	case otspb.OperationType_PUT:
		return w.isNumbered()
	case otspb.OperationType_UPDATE:
		return slices.ContainsFunc(w.row.Columns, func(c pb.Cell) bool { return c.Op == pb.Increment })
	}
	return false
}

// common checks what all writes have.
func (w *written) common(t text, kind otspb.OperationType, table string, key PrimaryKey, condition *Condition, what ReturnType, columns []string) error {
	w.kind = kind
	var err error
	if w.table, err = t.table(table); err != nil {
		return err
	}
	if w.row.PrimaryKey, err = t.appendKey(w.row.PrimaryKey, key); err != nil {
		return err
	}
	if w.existence, w.filter, err = condition.encode(t); err != nil {
		return err
	}
	w.content, err = returnContent(t, what, columns)
	return err
}
