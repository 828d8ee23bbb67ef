package otsauth

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSplitCommand(t *testing.T) {
	for line, want := range map[string][]string{
		"":                     nil,
		"  a  b ":              {"a", "b"},
		`a 'b c' "d e"`:        {"a", "b c", "d e"},
		`a\ b`:                 {"a b"},
		`"a\"b" 'c\d'`:         {`a"b`, `c\d`},
		`"a\nb"`:               {`a\nb`},
		`'' ""`:                {"", ""},
		`a"b"'c'`:              {"abc"},
		"a\tb\nc":              {"a", "b", "c"},
		`$(rm -rf /) | ; && *`: {"$(rm", "-rf", "/)", "|", ";", "&&", "*"},
	} {
		got, err := splitCommand(line)
		require.NoError(t, err, line)
		require.Equal(t, want, got, line)
	}
	for _, line := range []string{`'a`, `"a`, `a\`} {
		_, err := splitCommand(line)
		require.Error(t, err, line)
	}
}

func TestMaskSecrets(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a long run":                     {"sent CAISabcdefghijklmnop to it", "sent [redacted] to it"},
		"a token with slashes escaped":   {`{"SecurityToken":"CAIS\/abcdefghij\/klmnopqrstu\/vw"}`, `{"SecurityToken":"[redacted]"}`},
		"and without its name":           {`got CAIS\/abcdefg\/hijklmnop`, "got [redacted]"},
		"JSON in a string of JSON":       {`"{\"token\":\"CAIS\"}"`, `"{\"token\":\"[redacted]"}"`},
		"a token broken into lines":      {"token:\nCAISabcdefghijk\nlmnopqrstuvwxy\nz\n", "token:\n[redacted]\n"},
		"one of Windows":                 {"CAISabcdefghijk\r\nlmnopqrstuvwxy\r\nz\r\n", "[redacted]\n"},
		"a short secret behind its name": {"SecretKey=abc/defgh, secret: Ab3dEf9hIjKlMnO", "SecretKey=[redacted], secret: [redacted]"},
		"a short one behind a blank":     {"the secret Ab3dEf9hIjKlMnO is wrong", "the secret [redacted] is wrong"},
		"quoted in another way":          {"key_secret = 'ab'; sts_token='c'", "key_secret = '[redacted]'; sts_token='[redacted]'"},
		"what is no secret":              {"log in first: the token has expired and no key was found", "log in first: the token has expired and no key was found"},
		"a message of several lines":     {"cannot reach vault\ntry again\n", "cannot reach vault\ntry again\n"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, maskSecrets(c.text))
		})
	}
}

func FuzzSplitCommand(f *testing.F) {
	f.Add(`a 'b c' "d\"e" f\ g`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitCommand(line)
		if err != nil {
			return
		}
		quoted := make([]string, len(words))
		for i, word := range words {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		again, err := splitCommand(strings.Join(quoted, " "))
		if err != nil || len(again) != len(words) {
			t.Fatalf("%q splits into %q, and quoted again into %q, %v", line, words, again, err)
		}
		for i := range words {
			if again[i] != words[i] {
				t.Fatalf("%q became %q", words[i], again[i])
			}
		}
	})
}

const fuzzSecret = "SeKrEt1234567890abcdef"

// checkAnswer is what holds for every parser of an answer: no panic, either
// credentials that are usable or an error, and no secret in the error.
func checkAnswer(t *testing.T, c Credentials, err error) {
	t.Helper()
	if err == nil && c.Validate() != nil {
		t.Fatalf("accepted unusable credentials: %v", c.Validate())
	}
	if err != nil && strings.Contains(err.Error(), fuzzSecret) {
		t.Fatalf("the error shows a secret: %v", err)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"Code":"Success","AccessKeyId":"id","AccessKeySecret":"` + fuzzSecret + `","SecurityToken":"t","Expiration":"2030-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"mode":"StsToken","access_key_id":"id","access_key_secret":"` + fuzzSecret + `","sts_token":"t","expiration":"2030-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"AccessKeySecret":"` + fuzzSecret + `\n"`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var named struct{ Code, Mode string }
		if _ = json.Unmarshal(data, &named); strings.Contains(named.Code+named.Mode, fuzzSecret) {
			return // a code and a mode are quoted; they are no place for a secret
		}
		for _, parse := range []func([]byte) (Credentials, error){
			parseMetadata, parseURIAnswer,
			func(b []byte) (Credentials, error) { return parseProcessOutput(b, time.Now()) },
		} {
			c, err := parse(data)
			checkAnswer(t, c, err)
		}
	})
}

func FuzzProfileFiles(f *testing.F) {
	f.Add([]byte(`{"current":"p","profiles":[{"name":"p","mode":"ChainableRamRoleArn","source_profile":"q"},{"name":"q","access_key_secret":"`+fuzzSecret+`"}]}`), []byte("[a]\ntype=access_key\naccess_key_secret="+fuzzSecret), "p")
	f.Add([]byte(nil), []byte("[a\n"), "")
	f.Fuzz(func(t *testing.T, config, shared []byte, name string) {
		all, chosen, err := chooseProfile(name, config, func() ([]byte, error) { return shared, nil })
		if err == nil {
			b := profileBuilder{profiles: all}
			_, err = b.build(chosen)
		}
		if err == nil || !strings.Contains(err.Error(), fuzzSecret) {
			return
		}
		quoted := name // names, modes and what names other things are quoted; they are no place for a secret
		profiles, current, _ := parseConfig(config)
		sections, _ := parseShared(shared)
		for _, p := range slices.Concat(slices.Collect(maps.Values(profiles)), slices.Collect(maps.Values(sections))) {
			quoted += p.Name + p.Mode + p.SourceProfile + p.RoleARN + p.SessionName + p.ExternalID + p.STSRegion + p.OIDCProviderARN
		}
		if !strings.Contains(quoted+current, fuzzSecret) {
			t.Fatalf("the error shows a secret: %v", err)
		}
	})
}
