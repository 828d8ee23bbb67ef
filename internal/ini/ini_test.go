package ini_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth/internal/ini"
)

func TestParse(t *testing.T) {
	got, err := ini.Parse("\ufeff; comment\r\n[ a ]\r\nKey = value with spaces # comment\r\nb=1=2\r\nempty =\r\nhash=a#b\r\n\r\n[b]\n")
	require.NoError(t, err)
	require.Equal(t, map[string]map[string]string{
		"a": {"key": "value with spaces", "b": "1=2", "empty": "", "hash": "a#b"},
		"b": {},
	}, got)
}

func TestParseErrorsNameTheLineAndNotItsText(t *testing.T) {
	for name, c := range map[string]struct{ text, line string }{
		"a key before a section": {"SECRET=1", "line 1"},
		"a line without =":       {"[a]\nSECRET", "line 2"},
		"a line without a key":   {"[a]\n=SECRET", "line 2"},
		"an open head":           {"\n[SECRET", "line 2"},
		"an empty head":          {"[]", "line 1"},
		"a section twice":        {"[a]\nb=SECRET\n[a]", "line 3"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ini.Parse(c.text)
			require.ErrorContains(t, err, c.line)
			require.NotContains(t, err.Error(), "SECRET")
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("[a]\nb = c # d\n")
	f.Fuzz(func(t *testing.T, text string) {
		sections, err := ini.Parse(text)
		if err != nil {
			return
		}
		for name, section := range sections {
			if name == "" || strings.TrimSpace(name) != name {
				t.Fatalf("a section is called %q", name)
			}
			for key, value := range section {
				if key == "" || strings.TrimSpace(key) != key || strings.TrimSpace(value) != value {
					t.Fatalf("%q = %q is not trimmed", key, value)
				}
			}
		}
	})
}
