package interop_test

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore/otsprotocol"
	"github.com/golang/protobuf/proto" //nolint:staticcheck // the SDK's messages are of this package
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/otsauth/otsauth/internal/plainbuffer"
)

// A difference is a field that one client sends and another does not, though
// both ask for the same.
type difference struct {
	client string
	fields *regexp.Regexp
	reason string
	seen   bool
}

// differences are all that there are; each is seen when scenarios are run.
func differences() []*difference {
	return []*difference{
		{client: "gosdk", fields: regexp.MustCompile(`^(data_block_type|compress_type)_hint: 0$`), reason: "it names the defaults of GetRange"},
		{client: "gosdk", fields: regexp.MustCompile(`^is_atomic: false$`), reason: "it names the default of BatchWriteRow"},
		{
			client: "node", fields: regexp.MustCompile(`: \d+ zeros follow$`),
			reason: "it overrates the size of marks, of timestamps and of one version's deletion, and sends the rest of its buffer",
		},
	}
}

// compareBodies compares two requests for the same, field by field, with the
// official Go SDK's messages. PlainBuffer is compared byte for byte, so that it
// does not matter who decodes it.
func compareBodies(t *testing.T, known []*difference, s *step, first string, one []byte, second string, two []byte) {
	t.Helper()
	require.Equal(t, bodyFields(t, known, s, first, one), bodyFields(t, known, s, second, two), "%s: the bodies of %s and %s", s.Action, first, second)
}

// bodyFields lists the fields of a request, but for known differences.
func bodyFields(t *testing.T, known []*difference, s *step, client string, body []byte) []string {
	t.Helper()
	message := requestMessage(s.Action)
	if message == nil { // it is not for a client
		return nil
	}
	require.NoError(t, proto.Unmarshal(body, message), "%s: the body of %s", s.Action, client)
	if batch, is := message.(*otsprotocol.BatchWriteRowRequest); is { // the Go SDK has its tables in a map
		slices.SortFunc(batch.Tables, func(a, b *otsprotocol.TableInBatchWriteRowRequest) int {
			return strings.Compare(a.GetTableName(), b.GetTableName())
		})
	}
	fields, err := fieldsOf("", proto.MessageReflect(message))
	require.NoError(t, err, "%s: the body of %s", s.Action, client)
	fields = slices.DeleteFunc(fields, func(field string) bool {
		i := slices.IndexFunc(known, func(d *difference) bool { return d.client == client && d.fields.MatchString(field) })
		if i >= 0 {
			known[i].seen = true
		}
		return i >= 0
	})
	slices.Sort(fields)
	return fields
}

func requestMessage(action string) proto.Message {
	return map[string]proto.Message{
		"ListTable":     &otsprotocol.ListTableRequest{},
		"CreateTable":   &otsprotocol.CreateTableRequest{},
		"DescribeTable": &otsprotocol.DescribeTableRequest{},
		"UpdateTable":   &otsprotocol.UpdateTableRequest{},
		"DeleteTable":   &otsprotocol.DeleteTableRequest{},
		"PutRow":        &otsprotocol.PutRowRequest{},
		"UpdateRow":     &otsprotocol.UpdateRowRequest{},
		"DeleteRow":     &otsprotocol.DeleteRowRequest{},
		"GetRow":        &otsprotocol.GetRowRequest{},
		"GetRange":      &otsprotocol.GetRangeRequest{},
		"BatchGetRow":   &otsprotocol.BatchGetRowRequest{},
		"BatchWriteRow": &otsprotocol.BatchWriteRowRequest{},
	}[action]
}

// fieldsOf returns a line for each field that is set, with its path.
func fieldsOf(path string, m protoreflect.Message) (fields []string, err error) {
	if unknown := m.GetUnknown(); len(unknown) > 0 {
		fields = append(fields, fmt.Sprintf("%sunknown: %x", path, unknown))
	}
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		name := path + string(field.Name())
		values := []protoreflect.Value{v}
		if field.IsList() {
			values = values[:0]
			for i := range v.List().Len() {
				values = append(values, v.List().Get(i))
			}
		}
		for i, one := range values {
			place := name
			if field.IsList() {
				place = fmt.Sprintf("%s[%d]", name, i)
			}
			var more []string
			if more, err = valueFields(place, m, field, one); err != nil {
				return false
			}
			fields = append(fields, more...)
		}
		return true
	})
	return fields, err
}

// valueFields returns the lines of one value; bytes that hold another encoding
// are decoded.
func valueFields(path string, m protoreflect.Message, field protoreflect.FieldDescriptor, v protoreflect.Value) ([]string, error) {
	switch {
	case field.Kind() == protoreflect.MessageKind:
		return fieldsOf(path+".", v.Message())
	case field.Kind() == protoreflect.EnumKind:
		return []string{fmt.Sprintf("%s: %d", path, v.Enum())}, nil
	case field.Kind() != protoreflect.BytesKind:
		return []string{fmt.Sprintf("%s: %v", path, v.Interface())}, nil
	}
	switch field.Name() {
	case "row", "row_change", "primary_key", "inclusive_start_primary_key", "exclusive_end_primary_key":
		return rowFields(path, v.Bytes())
	case "column_condition":
		return messageFields(path, &otsprotocol.Filter{}, v.Bytes())
	case "filter":
		kind := m.Descriptor().Fields().ByName("type")
		if kind == nil { // of a read
			return messageFields(path, &otsprotocol.Filter{}, v.Bytes())
		}
		switch otsprotocol.FilterType(m.Get(kind).Enum()) {
		case otsprotocol.FilterType_FT_SINGLE_COLUMN_VALUE:
			return messageFields(path, &otsprotocol.SingleColumnValueFilter{}, v.Bytes())
		case otsprotocol.FilterType_FT_COMPOSITE_COLUMN_VALUE:
			return messageFields(path, &otsprotocol.CompositeColumnValueFilter{}, v.Bytes())
		}
		return messageFields(path, &otsprotocol.ColumnPaginationFilter{}, v.Bytes())
	}
	return []string{fmt.Sprintf("%s: %x", path, v.Bytes())}, nil
}

func messageFields(path string, m proto.Message, data []byte) ([]string, error) {
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return fieldsOf(path+".", proto.MessageReflect(m))
}

// rowFields returns a row as it is sent, for people its cells, and how many
// zeros follow it.
func rowFields(path string, data []byte) ([]string, error) {
	decoder, err := plainbuffer.NewDecoder(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var decoded plainbuffer.Row
	if err := decoder.Next(&decoded); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	end := len(data) - decoder.Left()
	fields := []string{path + ": " + hex.EncodeToString(data[:end])}
	for i, c := range append(slices.Clip(decoded.PrimaryKey), decoded.Columns...) {
		fields = append(fields, fmt.Sprintf("%s, cell %d: %+v", path, i, c))
	}
	switch {
	case strings.Trim(string(data[end:]), "\x00") != "":
		return nil, fmt.Errorf("%s: something follows the row", path)
	case end < len(data):
		fields = append(fields, fmt.Sprintf("%s: %d zeros follow", path, len(data)-end))
	}
	return fields, nil
}
