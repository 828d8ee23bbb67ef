package otstest

import (
	"bytes"
	"errors"
	"net/http"

	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

const (
	maxAttributes = 1024
	maxTextCell   = 2 << 20
	booleanSize   = 2 // of a type and a value; no other value takes as many bytes
)

// decodeRow parses the one row of a request.
func decodeRow(data []byte) (*pb.Row, *refusal) {
	// The official Node SDK overrates the size of an infinite or automatic key,
	// and fills up with zeros.
	padded := data
	row := &pb.Row{}
	decoder, err := pb.NewDecoder(data)
	if err == nil && decoder.More() {
		err = decoder.Next(row)
		padded = data[len(data)-decoder.Left():]
	}
	switch {
	case err != nil:
		return nil, refuseSyntax(err)
	case len(bytes.Trim(padded, "\x00")) > 0:
		return nil, invalid("data format is invalid.")
	case len(row.PrimaryKey) == 0:
		return nil, invalid("Cell data broken, PK is empty.")
	}
	return row, nil
}

// encodeRows returns rows as an answer has them; no row is an empty buffer.
func encodeRows(rows ...*pb.Row) *string {
	var data string
	if len(rows) > 0 {
		data = string(pb.Append(nil, rows...))
	}
	return &data
}

// decodeKey parses the primary key of a read, and checks what the table is not
// needed for.
func decodeKey(data []byte, allowed marks) (*pb.Row, *refusal) {
	key, refused := decodeRow(data)
	switch {
	case refused != nil:
		return nil, refused
	case len(key.Columns) > 0:
		return nil, invalid("Attribute column cannot be given while reading data.")
	case key.Deleted:
		return nil, invalid("Delete marker cannot be given.")
	case countAutomatic(key.PrimaryKey) > 0:
		return nil, invalid("PKAutoIncr can't be used for read operations.")
	}
	return key, checkKeyForm(key.PrimaryKey, allowed)
}

// refuseSyntax refuses a broken PlainBuffer in the service's words.
func refuseSyntax(err error) *refusal {
	syntax := &pb.SyntaxError{Err: err}
	errors.As(err, &syntax)
	message := "data format is invalid."
	switch want := syntax.Want; {
	case errors.Is(err, pb.ErrHeader):
		return invalid("Cell data broken, mismatch header, actual: %d , expect: %d.", syntax.Got, syntax.Want)
	case errors.Is(err, pb.ErrChecksum):
		return invalid("Cell data broken, checksum is mismatch, %d ：%d ：", syntax.Got, syntax.Want)
	case errors.Is(err, pb.ErrNoCells) && want == int64(pb.TagPrimaryKey):
		message = "Cell data broken, no PK follow PKTag."
	case errors.Is(err, pb.ErrNoCells):
		message = "Cell data broken, no Cells follow CellTag."
	case errors.Is(err, pb.ErrTag) && want == int64(pb.TagName):
		message = "Cell data broken, attr has no name."
	case errors.Is(err, pb.ErrTag) && want == int64(pb.TagCellChecksum):
		message = "Cell data broken, cell is not end with checksum[0x0A] tag."
	case errors.Is(err, pb.ErrTag) && want == int64(pb.TagRowChecksum):
		message = "Cell data broken, row is not end with checksum tag."
	case errors.Is(err, pb.ErrTag):
		return invalid("Cell data broken, mismatch tag, actual tag(%d), expect(%d).", syntax.Got, syntax.Want)
	case errors.Is(err, pb.ErrTruncated):
		message = "Input encoded PK broken, length is shorter than expect."
	case errors.Is(err, pb.ErrKind):
		message = "data format is invalid, unknown variant type occured."
	case errors.Is(err, pb.ErrOp):
		return invalid("Invalid op type of cell: %d.", syntax.Got)
	case errors.Is(err, pb.ErrLength) && want == booleanSize:
		return invalid("Invalid boolean real value, value length: %d.", syntax.Got-1)
	case errors.Is(err, pb.ErrLength):
		return invalid("Cell data broken, wrong string format, size: %d.", syntax.Got)
	}
	return refuse(http.StatusBadRequest, codeParameterInvalid, message, "%v", err)
}
