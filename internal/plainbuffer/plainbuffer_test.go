package plainbuffer_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

func cell(name string, v pb.Value) pb.Cell { return pb.Cell{Name: name, Value: v} }

func at(c pb.Cell, ms int64) pb.Cell { c.HasTimestamp, c.Timestamp = true, ms; return c }

func key() []pb.Cell {
	return []pb.Cell{cell("pk1", pb.StringValue("iampk")), cell("pk2", pb.IntValue(100))}
}

// The rows of testdata/vectors.json, which the Go and the Node SDK encode to
// the same bytes.
func vectorRows() map[string]*pb.Row {
	return map[string]*pb.Row{
		"a primary key": {PrimaryKey: key()},
		"a delete":      {PrimaryKey: key(), Deleted: true},
		"a put": {PrimaryKey: key(), Columns: []pb.Cell{
			at(cell("column1", pb.StringValue("bad")), 1001),
			at(cell("column2", pb.IntValue(128)), 1002),
			at(cell("column3", pb.DoubleValue(34.2)), 1003),
		}},
		"an update": {PrimaryKey: key(), Columns: []pb.Cell{
			cell("column1", pb.StringValue("bad")),
			{Name: "column4", Absent: true, Op: pb.DeleteAllVersions},
			at(pb.Cell{Name: "column5", Absent: true, Op: pb.DeleteOneVersion}, 1003),
			{Name: "cnt", Value: pb.IntValue(1), Op: pb.Increment},
		}},
		"the ends of a range": {PrimaryKey: []pb.Cell{cell("pk1", pb.MarkValue(pb.InfMin)), cell("pk2", pb.MarkValue(pb.InfMax))}},
		"an auto-increment key": {
			PrimaryKey: []pb.Cell{cell("pk1", pb.BlobValue("\x01\x02")), cell("id", pb.MarkValue(pb.AutoIncrement))},
			Columns:    []pb.Cell{cell("f", pb.BoolValue(true)), cell("b", pb.BlobValue("\xff"))},
		},
	}
}

func readVectors(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var list []struct{ Name, Hex string }
	require.NoError(t, json.Unmarshal(text, &list))
	vectors := map[string][]byte{}
	for _, v := range list {
		vectors[v.Name], err = hex.DecodeString(v.Hex)
		require.NoError(t, err)
	}
	require.Len(t, vectors, len(vectorRows()))
	return vectors
}

func TestVectorsEncodeAndDecode(t *testing.T) {
	vectors := readVectors(t)
	for name, row := range vectorRows() {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, hex.EncodeToString(vectors[name]), hex.EncodeToString(pb.Append(nil, row)))
			rows, err := pb.Decode(vectors[name])
			require.NoError(t, err)
			require.Len(t, rows, 1)
			require.Equal(t, row.PrimaryKey, rows[0].PrimaryKey)
			require.True(t, slices.Equal(row.Columns, rows[0].Columns), rows[0].Columns)
			require.Equal(t, row.Deleted, rows[0].Deleted)
		})
	}
}

func TestEveryTruncationIsAnError(t *testing.T) {
	for name, vector := range readVectors(t) {
		for n := range vector {
			if n == 4 {
				continue // a header alone is a buffer without rows
			}
			_, err := pb.Decode(vector[:n])
			var se *pb.SyntaxError
			require.ErrorAs(t, err, &se, "%s cut after %d bytes", name, n)
			require.LessOrEqual(t, se.Offset, n)
		}
	}
}

func TestEveryFlippedBitIsAnError(t *testing.T) {
	for name, vector := range readVectors(t) {
		for i := range vector {
			for bit := range 8 {
				broken := bytes.Clone(vector)
				broken[i] ^= 1 << bit
				_, err := pb.Decode(broken)
				require.Error(t, err, "%s with bit %d of byte %d flipped", name, bit, i)
			}
		}
	}
}

func TestMalformedBuffersNameTheProblem(t *testing.T) {
	const (
		header = "\x75\x00\x00\x00"
		name   = "\x03\x04\x01\x00\x00\x00a" // of a cell
		key    = header + "\x01" + name + "\x05\x01\x00\x00\x00\x09\x0a\xdf"
	)
	for sentence, c := range map[string]struct {
		data string
		want pb.SyntaxError
	}{
		"nothing at all":                      {"", pb.SyntaxError{Err: pb.ErrHeader, Got: 0, Want: 0x75}},
		"another header":                      {"\x76\x00\x00\x00", pb.SyntaxError{Err: pb.ErrHeader, Got: 0x76, Want: 0x75}},
		"half a header":                       {"\x75\x00", pb.SyntaxError{Err: pb.ErrHeader, Got: 0, Want: 0x75}},
		"an unknown tag":                      {header + "\x42", pb.SyntaxError{Offset: 4, Err: pb.ErrTag, Got: 0x42, Want: int64(pb.TagPrimaryKey)}},
		"a key without cells":                 {header + "\x01\x09\x00", pb.SyntaxError{Offset: 5, Err: pb.ErrNoCells, Got: 9, Want: int64(pb.TagPrimaryKey)}},
		"columns without cells":               {key + "\x02\x09\x00", pb.SyntaxError{Offset: len(key) + 1, Err: pb.ErrNoCells, Got: 9, Want: int64(pb.TagColumns)}},
		"columns that are cut off":            {key + "\x02", pb.SyntaxError{Offset: len(key) + 1, Err: pb.ErrTruncated, Got: 0, Want: 1}},
		"a row that is only a checksum":       {header + "\x09\x00", pb.SyntaxError{Offset: 4, Err: pb.ErrTag, Got: 9, Want: int64(pb.TagPrimaryKey)}},
		"a row without a checksum":            {key + "\x01", pb.SyntaxError{Offset: len(key) + 0, Err: pb.ErrTag, Got: 1, Want: int64(pb.TagRowChecksum)}},
		"a row with a wrong checksum":         {key + "\x09\x00", pb.SyntaxError{Offset: len(key) + 1, Err: pb.ErrChecksum, Got: 0, Want: 0x79}},
		"a cell without a name":               {header + "\x01\x03\x05", pb.SyntaxError{Offset: 6, Err: pb.ErrTag, Got: 5, Want: int64(pb.TagName)}},
		"a cell without a checksum":           {header + "\x01" + name + "\x09", pb.SyntaxError{Offset: 12, Err: pb.ErrTag, Cell: "a", Got: 9, Want: int64(pb.TagCellChecksum)}},
		"a cell with a wrong checksum":        {header + "\x01" + name + "\x0a\x00", pb.SyntaxError{Offset: 13, Err: pb.ErrChecksum, Cell: "a", Got: 0, Want: 0x20}},
		"a name longer than the buffer":       {header + "\x01\x03\x04\x10\x00\x00\x00abc", pb.SyntaxError{Offset: 7, Err: pb.ErrTruncated, Got: 3, Want: 16}},
		"a name of negative length":           {header + "\x01\x03\x04\xff\xff\xff\xffabc", pb.SyntaxError{Offset: 7, Err: pb.ErrTruncated, Got: 3, Want: math.MaxUint32}},
		"a value of two gigabytes":            {header + "\x01" + name + "\x05\xff\xff\xff\x7f", pb.SyntaxError{Offset: 13, Err: pb.ErrTruncated, Cell: "a", Got: 0, Want: math.MaxInt32}},
		"an empty value":                      {header + "\x01" + name + "\x05\x00\x00\x00\x00\x0a\x00", pb.SyntaxError{Offset: 17, Err: pb.ErrLength, Cell: "a", Got: 0, Want: 1}},
		"a value of unknown type":             {header + "\x01" + name + "\x05\x01\x00\x00\x00\x0c\x0a\x00", pb.SyntaxError{Offset: 17, Err: pb.ErrKind, Cell: "a", Got: 12, Want: 0}},
		"an integer of seven bytes":           {header + "\x01" + name + "\x05\x08\x00\x00\x00\x00aaaaaaa\x0a\x00", pb.SyntaxError{Offset: 17, Err: pb.ErrLength, Cell: "a", Got: 8, Want: 9}},
		"a boolean that is 2":                 {header + "\x01" + name + "\x05\x02\x00\x00\x00\x02\x02\x0a\x00", pb.SyntaxError{Offset: 18, Err: pb.ErrValue, Cell: "a", Got: 2, Want: 0}},
		"a string without its own length":     {header + "\x01" + name + "\x05\x03\x00\x00\x00\x03\x00\x00\x0a\x00", pb.SyntaxError{Offset: 17, Err: pb.ErrLength, Cell: "a", Got: 3, Want: 5}},
		"a string shorter than it says":       {header + "\x01" + name + "\x05\x06\x00\x00\x00\x03\x02\x00\x00\x00a\x0a\x00", pb.SyntaxError{Offset: 17, Err: pb.ErrLength, Cell: "a", Got: 6, Want: 7}},
		"a string longer than it says":        {header + "\x01" + name + "\x05\x06\x00\x00\x00\x03\x00\x00\x00\x00a\x0a\x00", pb.SyntaxError{Offset: 17, Err: pb.ErrLength, Cell: "a", Got: 6, Want: 5}},
		"a string of negative length":         {header + "\x01" + name + "\x05\x06\x00\x00\x00\x03\xff\xff\xff\xffa\x0a\x00", pb.SyntaxError{Offset: 17, Err: pb.ErrLength, Cell: "a", Got: 6, Want: 5 + math.MaxUint32}},
		"an infinity with a payload":          {header + "\x01" + name + "\x05\x02\x00\x00\x00\x09a\x0a\x00", pb.SyntaxError{Offset: 17, Err: pb.ErrLength, Cell: "a", Got: 2, Want: 1}},
		"an unknown operation":                {header + "\x01" + name + "\x06\x02\x0a\x00", pb.SyntaxError{Offset: 13, Err: pb.ErrOp, Cell: "a", Got: 2, Want: 0}},
		"a timestamp before the operation":    {header + "\x01" + name + "\x07aaaaaaaa\x06\x01", pb.SyntaxError{Offset: 21, Err: pb.ErrTag, Cell: "a", Got: 6, Want: int64(pb.TagCellChecksum)}},
		"half a timestamp":                    {header + "\x01" + name + "\x07aaaa", pb.SyntaxError{Offset: 13, Err: pb.ErrTruncated, Cell: "a", Got: 4, Want: 8}},
		"an extension longer than the buffer": {key + "\x0b\xff\x00\x00\x00", pb.SyntaxError{Offset: len(key) + 1, Err: pb.ErrTruncated, Got: 0, Want: 255}},
		"an empty extension":                  {key + "\x0b\x00\x00\x00\x00\x09\x79", pb.SyntaxError{Offset: len(key) + 5, Err: pb.ErrLength, Got: 0, Want: 1}},
		"an extension of unknown length":      {key + "\x0c\x00", pb.SyntaxError{Offset: len(key) + 0, Err: pb.ErrTag, Got: 12, Want: int64(pb.TagRowChecksum)}},
		"bytes behind the last row":           {key + "\x09\x79\x00", pb.SyntaxError{Offset: len(key) + 2, Err: pb.ErrTag, Got: 0, Want: int64(pb.TagPrimaryKey)}},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := pb.Decode([]byte(c.data))
			var got *pb.SyntaxError
			require.ErrorAs(t, err, &got)
			require.Equal(t, c.want, *got)
			require.ErrorIs(t, err, c.want.Err)
			require.ErrorContains(t, err, "at byte")
		})
	}
}

func TestASyntaxErrorDoesNotShowData(t *testing.T) {
	data := pb.Append(nil, &pb.Row{PrimaryKey: []pb.Cell{cell("hidden", pb.StringValue("concealed"))}})
	for i := range data {
		broken := bytes.Clone(data)
		broken[i]++
		if _, err := pb.Decode(broken); err != nil {
			require.NotContains(t, err.Error(), "hidden")
			require.NotContains(t, err.Error(), "conceal")
		}
	}
}

func TestTheExtensionOfAStreamRecordIsKept(t *testing.T) {
	row := &pb.Row{PrimaryKey: key(), Deleted: true, Extension: "\x0c\x03\x00\x00\x00xyz"}
	plain := pb.Append(nil, &pb.Row{PrimaryKey: key(), Deleted: true})
	checksum := len(plain) - 2 // which does not cover the extension
	want := string(plain[:checksum]) + "\x0b\x08\x00\x00\x00\x0c\x03\x00\x00\x00xyz" + string(plain[checksum:])
	require.Equal(t, want, string(pb.Append(nil, row)))
	rows, err := pb.Decode([]byte(want))
	require.NoError(t, err)
	require.Equal(t, row.Extension, rows[0].Extension)
	require.Equal(t, key(), rows[0].PrimaryKey)
	require.True(t, rows[0].Deleted)
}

func TestParseValue(t *testing.T) {
	for _, v := range []pb.Value{
		pb.IntValue(math.MinInt64), pb.DoubleValue(-0.5), pb.BoolValue(true), pb.BoolValue(false), pb.StringValue("云"),
		pb.BlobValue(""), pb.MarkValue(pb.InfMax), pb.MarkValue(pb.Null),
	} {
		got, err := pb.ParseValue(pb.AppendValue(nil, v))
		require.NoError(t, err)
		require.Equal(t, v, got)
	}
	for _, broken := range []string{"", "\x00", "\x03\x05\x00\x00\x00", "\x63"} {
		_, err := pb.ParseValue([]byte(broken))
		require.ErrorIs(t, err, pb.ErrValue, "%q", broken)
	}
}

func TestValuesHoldWhatTheyAreMadeOf(t *testing.T) {
	require.EqualValues(t, math.MinInt64, pb.IntValue(math.MinInt64).Int())
	require.InDelta(t, -0.5, pb.DoubleValue(-0.5).Double(), 0)
	require.True(t, pb.BoolValue(true).Bool())
	require.False(t, pb.BoolValue(false).Bool())
	require.Equal(t, "云", pb.StringValue("云").Text())
	require.Equal(t, "\xff", pb.BlobValue("\xff").Text())
	for name, v := range map[string]pb.Value{
		"VT_INTEGER": pb.IntValue(0), "VT_DOUBLE": pb.DoubleValue(0), "VT_BOOLEAN": pb.BoolValue(false),
		"VT_STRING": pb.StringValue(""), "VT_BLOB": pb.BlobValue(""), "VT_NULL": pb.MarkValue(pb.Null),
		"VT_INF_MIN": pb.MarkValue(pb.InfMin), "VT_INF_MAX": pb.MarkValue(pb.InfMax),
		"VT_AUTO_INCREMENT": pb.MarkValue(pb.AutoIncrement), "VT_UNKNOWN": pb.MarkValue(99),
	} {
		require.Equal(t, name, v.Kind().String())
	}
}

func TestKeysCompareAsTheServiceOrdersThem(t *testing.T) {
	ordered := []pb.Value{
		pb.MarkValue(pb.InfMin),
		pb.IntValue(math.MinInt64), pb.IntValue(-1), pb.IntValue(0), pb.IntValue(math.MaxInt64),
		pb.DoubleValue(math.Inf(-1)), pb.DoubleValue(-1), pb.DoubleValue(0), pb.DoubleValue(math.Pi),
		pb.BoolValue(false), pb.BoolValue(true),
		pb.StringValue(""), pb.StringValue("A"), pb.StringValue("a"), pb.StringValue("aa"), pb.StringValue("云"),
		pb.BlobValue(""), pb.BlobValue("\x00"), pb.BlobValue("\xff"),
		pb.MarkValue(pb.InfMax),
	}
	for i, a := range ordered {
		for j, b := range ordered {
			require.Equal(t, min(max(i-j, -1), 1), a.Compare(b), "%d %d", i, j)
		}
	}
}

func genValue(t *rapid.T) pb.Value {
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return pb.IntValue(rapid.Int64().Draw(t, "int"))
	case 1:
		return pb.DoubleValue(rapid.Float64().Draw(t, "double"))
	case 2:
		return pb.BoolValue(rapid.Bool().Draw(t, "bool"))
	case 3:
		return pb.StringValue(rapid.String().Draw(t, "string"))
	case 4:
		return pb.BlobValue(string(rapid.SliceOf(rapid.Byte()).Draw(t, "blob")))
	default:
		return pb.MarkValue(rapid.SampledFrom([]pb.Kind{pb.Null, pb.InfMin, pb.InfMax, pb.AutoIncrement}).Draw(t, "mark"))
	}
}

func genCell(t *rapid.T) pb.Cell {
	c := pb.Cell{Name: rapid.String().Draw(t, "name")}
	if c.Absent = rapid.Bool().Draw(t, "absent"); !c.Absent {
		c.Value = genValue(t)
	}
	c.Op = rapid.SampledFrom([]pb.Op{pb.Put, pb.DeleteAllVersions, pb.DeleteOneVersion, pb.Increment}).Draw(t, "op")
	if c.HasTimestamp = rapid.Bool().Draw(t, "timed"); c.HasTimestamp {
		c.Timestamp = rapid.Int64().Draw(t, "timestamp")
	}
	return c
}

func genRow(t *rapid.T) *pb.Row {
	return &pb.Row{
		PrimaryKey: rapid.SliceOfN(rapid.Custom(genCell), 1, 6).Draw(t, "key"),
		Columns:    rapid.SliceOfN(rapid.Custom(genCell), 0, 20).Draw(t, "columns"),
		Deleted:    rapid.Bool().Draw(t, "deleted"),
		Extension:  string(rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "extension")),
	}
}

func TestWhatIsEncodedDecodesToTheSameRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(genRow), 0, 8).Draw(t, "rows")
		encoded := pb.Append([]byte("prefix"), rows...)[len("prefix"):]
		if len(encoded) != pb.Size(rows...) {
			t.Fatalf("Size says %d for %d bytes", pb.Size(rows...), len(encoded))
		}
		decoded, err := pb.Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if len(decoded) != len(rows) {
			t.Fatalf("%d rows became %d", len(rows), len(decoded))
		}
		for i := range decoded { // an element added to one row must not appear in the next
			_ = append(decoded[i].PrimaryKey, pb.Cell{Name: "intruder"})
			_ = append(decoded[i].Columns, pb.Cell{Name: "intruder"})
		}
		for i, got := range decoded {
			want := rows[i]
			if !slices.Equal(got.PrimaryKey, want.PrimaryKey) || !slices.Equal(got.Columns, want.Columns) ||
				got.Deleted != want.Deleted || got.Extension != want.Extension {
				t.Fatalf("row %d: %v became %v", i, want, got)
			}
		}
	})
}

// The decoder accepts nothing that the encoder would write otherwise.
func FuzzDecode(f *testing.F) {
	for _, vector := range readVectors(f) {
		f.Add(vector)
	}
	f.Add(pb.Append(nil, &pb.Row{PrimaryKey: key(), Extension: "x"}, &pb.Row{Columns: key()}))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := pb.Decode(data)
		if err != nil {
			var syntax *pb.SyntaxError
			if !errors.As(err, &syntax) || syntax.Offset > len(data) {
				t.Fatalf("%x: %v", data, err)
			}
			return
		}
		all := make([]*pb.Row, len(rows))
		for i := range rows {
			all[i] = &rows[i]
		}
		if again := pb.Append(nil, all...); !bytes.Equal(again, data) {
			t.Fatalf("%x\nbecame\n%x", data, again)
		}
	})
}

func FuzzParseValue(f *testing.F) {
	f.Add([]byte{3, 1, 0, 0, 0, 'a'})
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := pb.ParseValue(data)
		if err == nil && !bytes.Equal(pb.AppendValue(nil, v), data) {
			t.Fatalf("%x becomes %x", data, pb.AppendValue(nil, v))
		}
	})
}

func wideRow() *pb.Row {
	row := &pb.Row{PrimaryKey: key()}
	for i := range 10 {
		row.Columns = append(row.Columns, cell(fmt.Sprintf("column%d", i), pb.StringValue("a value of twenty b.")))
	}
	return row
}

func thousandRows() []byte {
	rows := make([]*pb.Row, 1000)
	for i := range rows {
		rows[i] = wideRow()
	}
	return pb.Append(nil, rows...)
}

func TestMemoryIsTakenInFewPieces(t *testing.T) {
	row, dst := wideRow(), []byte(nil)
	one := pb.Append(nil, row)
	many := thousandRows()
	// The race detector needs some more than the 1, 0, 4, 6 and 9 of a plain run.
	for sentence, c := range map[string]struct {
		most float64
		run  func() error
	}{
		"encoding a row":                    {2, func() error { dst = pb.Append(nil, row); return nil }},
		"encoding a row into a buffer":      {0, func() error { dst = pb.Append(dst[:0], row); return nil }},
		"decoding a row":                    {5, func() error { _, err := pb.Decode(one); return err }},
		"decoding a thousand rows":          {8, func() error { _, err := pb.Decode(many); return err }},
		"decoding a thousand into the same": {9, func() error { return stream(many) }},
	} {
		t.Run(sentence, func(t *testing.T) {
			require.LessOrEqual(t, testing.AllocsPerRun(10, func() {
				if err := c.run(); err != nil {
					t.Error(err)
				}
			}), c.most)
		})
	}
}

// stream reads all rows into one.
func stream(data []byte) error {
	d, err := pb.NewDecoder(data)
	if err != nil {
		return err
	}
	var row pb.Row
	for d.More() {
		if err := d.Next(&row); err != nil {
			return err
		}
	}
	return nil
}

func BenchmarkAppendPutRow(b *testing.B) {
	row, dst := wideRow(), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		dst = pb.Append(dst[:0], row)
	}
}

func BenchmarkDecodeThousandRows(b *testing.B) {
	data := thousandRows()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pb.Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStreamThousandRows(b *testing.B) {
	data := thousandRows()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := stream(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeOneRow(b *testing.B) {
	data := pb.Append(nil, wideRow())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pb.Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}
