package otspb_test

import (
	"encoding/hex"
	"encoding/json"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/otsauth/otsauth/internal/otspb"
)

const pkg = "otsauth.tablestore."

// schema is testdata/schema.json; the file says what it holds.
type schema struct {
	Messages []struct {
		Name     protoreflect.Name
		Required []protoreflect.Name
		Hex      string
	}
	Enums map[protoreflect.Name]map[protoreflect.Name]protoreflect.EnumNumber
}

func readSchema(t *testing.T) (s schema) {
	t.Helper()
	text, err := os.ReadFile("testdata/schema.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &s))
	require.Len(t, s.Messages, 54)
	require.Len(t, s.Enums, 19)
	return s
}

func TestEveryFieldIsWhereTheOfficialGoSDKHasIt(t *testing.T) {
	for _, m := range readSchema(t).Messages {
		t.Run(string(m.Name), func(t *testing.T) {
			kind, err := protoregistry.GlobalTypes.FindMessageByName(pkg + protoreflect.FullName(m.Name))
			require.NoError(t, err)
			data, err := hex.DecodeString(m.Hex)
			require.NoError(t, err)
			got := kind.New()
			require.NoError(t, proto.Unmarshal(data, got.Interface()))
			checkFields(t, got)
			again, err := proto.MarshalOptions{Deterministic: true}.Marshal(got.Interface())
			require.NoError(t, err)
			require.Equal(t, m.Hex, hex.EncodeToString(again))

			required := []protoreflect.Name{}
			fields := kind.Descriptor().Fields()
			for i := range fields.Len() {
				if f := fields.Get(i); f.Cardinality() == protoreflect.Required {
					required = append(required, f.Name())
				}
			}
			if m.Name == "DescribeTableResponse" { // see the comment at the field
				required = append(required, "table_status")
			}
			require.ElementsMatch(t, m.Required, required)
		})
	}
}

// checkFields fails unless each field of m holds the value that belongs to the
// field's name.
func checkFields(t *testing.T, m protoreflect.Message) {
	t.Helper()
	name := m.Descriptor().Name()
	if name == "DescribeTableResponse" {
		require.Contains(t, string(m.GetUnknown()), "cluster_name", "field 12 is kept, though not known")
	} else {
		require.Empty(t, m.GetUnknown(), "fields of %s that only the SDK has", name)
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.FullName() == pkg+"Error.access_denied_detail" || f.FullName() == pkg+"ConsumedCapacity.capacity_data_size" {
			continue // Java only
		}
		require.True(t, m.Has(f), "the SDK has no %s", f.FullName())
		value := m.Get(f)
		if f.IsList() {
			value = value.List().Get(0)
		}
		crc := crc32.ChecksumIEEE([]byte(f.Name())) >> 1
		switch f.Kind() {
		case protoreflect.MessageKind:
			checkFields(t, value.Message())
		case protoreflect.EnumKind:
			values := f.Enum().Values()
			require.Equal(t, values.Get(values.Len()-1).Number(), value.Enum(), f.FullName())
		case protoreflect.StringKind:
			require.Equal(t, string(f.Name()), value.String(), f.FullName())
		case protoreflect.BytesKind:
			require.Equal(t, []byte(f.Name()), value.Bytes(), f.FullName())
		case protoreflect.BoolKind:
			require.True(t, value.Bool(), f.FullName())
		case protoreflect.Int32Kind, protoreflect.Int64Kind:
			require.EqualValues(t, crc, value.Int(), f.FullName())
		default:
			t.Fatalf("%s is of kind %s, which no message of the API has", f.FullName(), f.Kind())
		}
	}
}

func TestEveryEnumHasTheNumbersOfTheOfficialGoSDK(t *testing.T) {
	for name, want := range readSchema(t).Enums {
		enum, err := protoregistry.GlobalTypes.FindEnumByName(pkg + protoreflect.FullName(name))
		require.NoError(t, err)
		got := map[protoreflect.Name]protoreflect.EnumNumber{}
		values := enum.Descriptor().Values()
		for i := range values.Len() {
			got[values.Get(i).Name()] = values.Get(i).Number()
		}
		require.Equal(t, want, got, name)
	}
}

func TestRegisteredNamesAreOurs(t *testing.T) {
	for _, file := range []protoreflect.FileDescriptor{
		otspb.File_otsauth_tablestore_proto, otspb.File_otsauth_filter_proto,
	} {
		require.True(t, strings.HasPrefix(file.Path(), "otsauth"), file.Path())
		require.EqualValues(t, "otsauth.tablestore", file.Package())
	}
}

// The fields that only Java has, and an incomplete one of them.
func TestAnErrorWithoutAllDetailsStillHasItsCode(t *testing.T) {
	data := []byte("\x0a\x03abc" + "\x12\x01m" + "\x1a\x05" + "\x2a\x03RAM")
	var e otspb.Error
	require.NoError(t, proto.Unmarshal(data, &e))
	require.Equal(t, "abc", e.GetCode())
	require.Equal(t, "RAM", e.GetAccessDeniedDetail().GetPolicyType())
	var c otspb.ConsumedCapacity
	require.NoError(t, proto.Unmarshal([]byte("\x0a\x00"+"\x12\x04\x08\x07\x10\x09"), &c))
	require.EqualValues(t, 7, c.GetCapacityDataSize().GetReadSize())
	require.EqualValues(t, 9, c.GetCapacityDataSize().GetWriteSize())
}
