package client_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

func TestStringsAreTheProgramsOnThisSideAndUTF8OnTheOther(t *testing.T) {
	const cloudGBK, cloud = "\xd4\xc6", "云"
	server := otstest.NewServer(t, nil)
	gbk := inProcess(t, server, server.Provider(), client.Options{Encoding: simplifiedchinese.GBK})
	utf := inProcess(t, server, server.Provider(), client.Options{})
	createTable(t, gbk)

	key := client.PrimaryKey{{Name: "id", Value: client.String(cloudGBK)}, {Name: "n", Value: client.Int(1)}}
	_, err := gbk.PutRow(t.Context(), &client.PutRowRequest{Table: "table", PrimaryKey: key, Columns: []client.Column{
		{Name: "bytes", Value: client.Bytes([]byte(cloudGBK))},
		{Name: "name", Value: client.String(cloudGBK)},
	}})
	require.NoError(t, err)

	stored, err := utf.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: rowKey(cloud)})
	require.NoError(t, err)
	require.NotNil(t, stored.Row, "the key was sent as UTF-8")
	require.Equal(t, `"云"`, stored.Row.Columns[1].Value.String())
	raw, _ := stored.Row.Columns[0].Value.Bytes()
	require.Equal(t, cloudGBK, string(raw), "bytes are bytes")

	got, err := gbk.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: key, Columns: []string{"name"}})
	require.NoError(t, err)
	require.Equal(t, key, got.Row.PrimaryKey)
	require.True(t, got.Row.Columns[0].Value.Equal(client.String(cloudGBK)))

	latin := inProcess(t, server, server.Provider(), client.Options{Encoding: charmap.ISO8859_1})
	_, err = latin.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: client.PrimaryKey{
		{Name: "id", Value: client.String("none")}, {Name: "n", Value: client.Int(1)},
	}})
	require.NoError(t, err)
	_, err = utf.PutRow(t.Context(), &client.PutRowRequest{Table: "table", PrimaryKey: rowKey("a"), Columns: []client.Column{{Name: "name", Value: client.String(cloud)}}})
	require.NoError(t, err)
	_, err = latin.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: rowKey("a")})
	require.ErrorContains(t, err, "the client's encoding cannot express")
}

func TestStringsThatAreInvalidInTheEncodingAreNotSent(t *testing.T) {
	server := otstest.NewServer(t, nil)
	for name, c := range map[string]struct {
		encoding encoding.Encoding
		text     string
		valid    bool
	}{
		"a lone lead byte of GBK":                      {simplifiedchinese.GBK, "a\xd4", false},
		"a wrong trail byte of Shift JIS":              {japanese.ShiftJIS, "\x81\x00", false},
		"an unassigned byte of Windows 1252":           {charmap.Windows1252, "\x81", false},
		"what is not UTF-8, without a change":          {encoding.Nop, "\xff", false},
		"a byte that Shift JIS reads and cannot write": {japanese.ShiftJIS, "\x80", false},
		"UTF-8 without a change":                       {encoding.Nop, "云", true},
		"one of two ways of Shift JIS to write a sign": {japanese.ShiftJIS, "\x81\xe6", true},
		"the other, which comes back as the first":     {japanese.ShiftJIS, "\x87\x9a", true},
		"a replacement character that GB 18030 knows":  {simplifiedchinese.GB18030, "\x84\x31\xa4\x37", true},
	} {
		t.Run(name, func(t *testing.T) {
			cl := inProcess(t, server, server.Provider(), client.Options{Encoding: c.encoding})
			before := server.Stats().Requests
			_, err := cl.GetRow(t.Context(), &client.GetRowRequest{Table: "t", PrimaryKey: client.PrimaryKey{{Name: "id", Value: client.String(c.text)}}})
			if c.valid {
				require.ErrorIs(t, err, client.CodeObjectNotExist)
				return
			}
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, "column id", ce.Field)
			require.Contains(t, ce.Problem, "client.Bytes")
			require.Equal(t, before, server.Stats().Requests)
		})
	}
}

// FuzzText checks that what is sent is UTF-8, and comes back as text that is
// sent the same.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "云", "\xd4\xc6", "\x81\xe6", "\x87\x9a", "\xff\xfe", "\x84\x31\xa4\x37"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, e := range []encoding.Encoding{nil, encoding.Nop, simplifiedchinese.GBK, simplifiedchinese.GB18030, japanese.ShiftJIS, charmap.Windows1252} {
			sent, problem := client.TextOut(e, s)
			if problem != "" {
				continue
			}
			if !utf8.ValidString(sent) {
				t.Fatalf("%q is sent as %q in %v", s, sent, e)
			}
			back, err := client.TextIn(e, sent)
			if err != nil {
				t.Fatalf("%q is sent as %q in %v, and does not come back: %v", s, sent, e, err)
			}
			again, problem := client.TextOut(e, back)
			if problem != "" || again != sent {
				t.Fatalf("%q is sent as %q in %v, comes back as %q, and is then sent as %q (%s)", s, sent, e, back, again, problem)
			}
		}
	})
}
