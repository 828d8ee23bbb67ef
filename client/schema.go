package client

import (
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
)

// A DefinedColumn is an attribute column that the table declares, as secondary
// indexes need. Rows may have any other besides.
type DefinedColumn struct {
	Name string
	// Kind is KindInt, KindFloat, KindBool, KindString or KindBytes.
	Kind Kind
}

// An Index is a secondary index of a table.
type Index struct {
	Name string
	// PrimaryKey are the index's key columns: key columns or defined columns of
	// the table.
	PrimaryKey []string
	// Columns are the defined columns that the index holds besides.
	Columns []string
	// Local says that the index shares the table's first key column and is
	// written together with the row. False: a global index, written soon after.
	Local bool
}

// Forever is a TimeToLive without an end. (Source: the documentation, where it is -1.)
const Forever = -time.Second

// TableOptions are what [OTSClient.DescribeTable] returns, and what
// [OTSClient.UpdateTable] may change: a zero field then stays as it is.
type TableOptions struct {
	// TimeToLive is how long data is kept, in whole seconds, or [Forever].
	TimeToLive time.Duration
	// MaxVersions is how many versions of a column are kept.
	MaxVersions int
	// MaxTimeDeviation is how far a version's timestamp may lie from the
	// service's time, in whole seconds.
	MaxTimeDeviation time.Duration
	// UpdateForbidden says that rows can be put and not updated. UpdateTable allows
	// it again by AllowUpdate.
	UpdateForbidden bool
}

// Stream says whether the table keeps a record of its changes.
type Stream struct {
	Enabled bool
	// Expires is how long a record is kept, in whole hours. Zero: the service's
	// default.
	Expires time.Duration
	// ID is the service's name of the stream, in answers. Requests leave it out.
	ID string
}

// message returns the stream's specification on the wire; nil is none.
func (s *Stream) message() (*otspb.StreamSpecification, error) {
	if s == nil {
		return nil, nil
	}
	message := &otspb.StreamSpecification{EnableStream: &s.Enabled}
	if s.Expires != 0 {
		hours := s.Expires / time.Hour
		if s.Expires%time.Hour != 0 || hours < 1 || hours > math.MaxInt32 {
			return nil, &otsauth.ConfigError{Field: "Stream", Problem: fmt.Sprintf("expires after %s; it must be whole hours, or zero for the default", s.Expires)}
		}
		message.ExpirationTime = proto.Int32(int32(hours))
	}
	return message, nil
}

// streamOf returns a stream in its public form.
func streamOf(details *otspb.StreamDetails) Stream {
	return Stream{
		Enabled: details.GetEnableStream(), Expires: times(int64(details.GetExpirationTime()), time.Hour), ID: details.GetStreamId(),
	}
}

// optionsOf returns a table's options in their public form.
func optionsOf(options *otspb.TableOptions) TableOptions {
	return TableOptions{
		TimeToLive:       time.Duration(options.GetTimeToLive()) * time.Second,
		MaxVersions:      int(options.GetMaxVersions()),
		MaxTimeDeviation: times(options.GetDeviationCellVersionInSec(), time.Second),
		UpdateForbidden:  options.AllowUpdate != nil && !options.GetAllowUpdate(),
	}
}

// times returns n units, or as many as a Duration holds.
func times(n int64, unit time.Duration) time.Duration {
	return time.Duration(min(n, int64(math.MaxInt64/unit))) * unit
}

// columnTypes pairs the kinds of defined columns with the wire's.
func columnTypes() map[Kind]otspb.DefinedColumnType {
	return map[Kind]otspb.DefinedColumnType{
		KindInt:    otspb.DefinedColumnType_DCT_INTEGER,
		KindFloat:  otspb.DefinedColumnType_DCT_DOUBLE,
		KindBool:   otspb.DefinedColumnType_DCT_BOOLEAN,
		KindString: otspb.DefinedColumnType_DCT_STRING,
		KindBytes:  otspb.DefinedColumnType_DCT_BLOB,
	}
}

// definedColumns checks declared columns and returns them on the wire.
func definedColumns(t text, columns []DefinedColumn) ([]*otspb.DefinedColumnSchema, error) {
	types := columnTypes()
	schemas := make([]*otspb.DefinedColumnSchema, len(columns))
	for i, c := range columns {
		name, err := t.column(c.Name)
		if err != nil {
			return nil, err
		}
		kind, ok := types[c.Kind]
		if !ok {
			return nil, &otsauth.ConfigError{Field: "defined column " + c.Name, Problem: fmt.Sprintf("has kind %s; a column is an int, float, bool, string or bytes", c.Kind)}
		}
		schemas[i] = &otspb.DefinedColumnSchema{Name: &name, Type: &kind}
	}
	return schemas, nil
}

// indexes checks secondary indexes and returns them on the wire.
func indexes(t text, all []Index) ([]*otspb.IndexMeta, error) {
	metas := make([]*otspb.IndexMeta, len(all))
	for i, index := range all {
		name, err := t.named("index name", index.Name)
		if err != nil {
			return nil, err
		}
		meta := &otspb.IndexMeta{
			Name: &name, IndexType: otspb.IndexType_IT_GLOBAL_INDEX.Enum(), IndexUpdateMode: otspb.IndexUpdateMode_IUM_ASYNC_INDEX.Enum(),
		}
		if index.Local {
			meta.IndexType, meta.IndexUpdateMode = otspb.IndexType_IT_LOCAL_INDEX.Enum(), otspb.IndexUpdateMode_IUM_SYNC_INDEX.Enum()
		}
		if meta.PrimaryKey, err = t.names(index.PrimaryKey); err != nil {
			return nil, err
		}
		if meta.DefinedColumn, err = t.names(index.Columns); err != nil {
			return nil, err
		}
		metas[i] = meta
	}
	return metas, nil
}

// names checks columns' names and returns them as they are sent.
func (t text) names(names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	sent := make([]string, len(names))
	for i, name := range names {
		var err error
		if sent[i], err = t.column(name); err != nil {
			return nil, err
		}
	}
	return sent, nil
}

// namesIn returns columns' names as the program wants them.
func (t text) namesIn(names []string) ([]string, error) {
	got := make([]string, len(names))
	for i, name := range names {
		var err error
		if got[i], err = t.in(name); err != nil {
			return nil, err
		}
	}
	return got, nil
}
