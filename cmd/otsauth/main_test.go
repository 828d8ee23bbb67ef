package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otsauth/otsauth/otstest"
)

func TestTheDemoFailsNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, &otstest.Options{TokenLifetime: 5 * time.Second})
		var out bytes.Buffer
		d := demo{Duration: 20 * time.Second, Workers: 4, TokenLifetime: 5 * time.Second}
		require.NoError(t, d.Validate())
		require.NoError(t, d.run(t.Context(), &out, server, "https://otstest.invalid", slow{server.Transport()}))
		for _, want := range []string{"a token lives 5s", "STS is down for 3s", "STS is back", "requests sent ", "failed                      0\n", "a token expired meanwhile", "tokens revoked              1\n"} {
			require.Contains(t, out.String(), want)
		}
		require.NotContains(t, out.String(), "\r", "the output is no terminal")
	})
}

// slow lets virtual time pass, which stands still while anybody works.
type slow struct{ http.RoundTripper }

func (s slow) RoundTrip(req *http.Request) (*http.Response, error) {
	<-time.After(10 * time.Millisecond)
	return s.RoundTripper.RoundTrip(req)
}

func TestTheDemoStartsItsOwnService(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := demo{Duration: 20 * time.Second, Workers: 4}
	require.ErrorIs(t, d.Run(ctx, io.Discard), context.Canceled)
}

func TestTheDemoRefusesWhatCannotWork(t *testing.T) {
	for want, d := range map[string]demo{
		"--duration":                        {Duration: time.Millisecond, Workers: 1},
		"--workers":                         {Duration: 20 * time.Second},
		"--token-lifetime must be at least": {Duration: 20 * time.Second, Workers: 1, TokenLifetime: time.Millisecond},
		"--token-lifetime must be at most":  {Duration: 20 * time.Second, Workers: 1, TokenLifetime: time.Minute},
	} {
		require.ErrorContains(t, d.Validate(), want)
	}
}

func TestARequestThatFailedMakesTheDemoFail(t *testing.T) {
	tally := newTally()
	tally.request(time.Millisecond, nil)
	tally.request(time.Millisecond, os.ErrClosed)
	var out bytes.Buffer
	require.ErrorIs(t, tally.report(&out, newServer(t)), os.ErrClosed)
	require.Contains(t, out.String(), "failed                      1\n")
	require.ErrorContains(t, newTally().report(&out, newServer(t)), "no request was sent")
	tally = newTally()
	tally.request(time.Millisecond, nil)
	require.ErrorContains(t, tally.report(&out, newServer(t)), "a longer --duration", "nothing happened that could have failed one")
}

func TestChainSaysWhatEachSourceAnswered(t *testing.T) {
	for _, name := range []string{"OTS_AK_ENV", "TABLESTORE_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_ID", "OTS_SK_ENV", "TABLESTORE_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_OIDC_TOKEN_FILE", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_OIDC_TOKEN", "ALIBABA_CLOUD_CREDENTIALS_URI", "ALIBABA_CLOUD_PROFILE", "ALIBABA_CLOUD_CONFIG_FILE", "ALIBABA_CLOUD_CREDENTIALS_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
	var out bytes.Buffer
	c := chain{Timeout: time.Minute}
	require.ErrorContains(t, c.Run(t.Context(), &out), "no source")
	require.Equal(t, 5, strings.Count(out.String(), "\n"))

	out.Reset()
	t.Setenv("OTS_AK_ENV", "LTAI5t")
	require.ErrorContains(t, c.Run(t.Context(), &out), "OTS_SK_ENV is not set")
	require.Contains(t, out.String(), "failed ")

	out.Reset()
	t.Setenv("OTS_SK_ENV", "hunter2")
	require.NoError(t, c.Run(t.Context(), &out))
	require.Equal(t, "+        has credentials: AccessKey ID LTAI5t, from env, do not expire\n", out.String())
}

const request = "POST /ListTable HTTP/1.1\r\nHost: x\r\nx-ots-date: 2024-08-08T03:22:47.8123Z\r\nx-ots-apiversion: 2015-12-31\r\n" +
	"x-ots-accesskeyid: credentials_test_id\r\nx-ots-instancename: credentials_test\r\nx-ots-contentmd5: 1B2M2Y8AsgTpgAmY7PhCfg==\r\n" +
	"x-ots-signature: A940TpusldxW4mUEOFbhrtwctoU=\r\nContent-Length: 0\r\n\r\n"

func TestExplainSaysWhyASignatureIsWrong(t *testing.T) {
	t.Setenv("OTS_AK_ENV", "credentials_test_id")
	for name, c := range map[string]struct {
		secret  string
		explain explain
		want    string
	}{
		"nothing is wrong":        {"credentials_test_secret", explain{Check: true}, "likely cause: none found"},
		"another secret":          {"hunter2", explain{Check: true, Message: "Signature mismatch."}, "not the one of these headers with this secret"},
		"the clock":               {"credentials_test_secret", explain{Time: time.Date(2024, 8, 8, 4, 0, 0, 0, time.UTC)}, "clock"},
		"V2 where V4 is required": {"credentials_test_secret", explain{RequireV4: true}, "V4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTS_SK_ENV", c.secret)
			c.explain.Request = "-"
			var out bytes.Buffer
			require.NoError(t, c.explain.Run(t.Context(), strings.NewReader(request), &out))
			require.Contains(t, out.String(), "x-ots-instancename:credentials_test")
			require.Contains(t, out.String(), c.want)
			require.NotContains(t, out.String(), "hunter2")
		})
	}
	t.Run("the service's string-to-sign, from files", func(t *testing.T) {
		dir := t.TempDir()
		requestFile, serviceFile := filepath.Join(dir, "request"), filepath.Join(dir, "service")
		require.NoError(t, os.WriteFile(requestFile, []byte(request), 0o600))
		require.NoError(t, os.WriteFile(serviceFile, []byte("/ListTable\nPOST\n\nx-ots-accesskeyid:credentials_test_id\nx-ots-apiversion:2015-12-30\n"), 0o600))
		var out bytes.Buffer
		require.NoError(t, (&explain{Request: requestFile, Service: serviceFile}).Run(t.Context(), nil, &out))
		require.Contains(t, out.String(), "first difference: x-ots-apiversion")
	})
	t.Run("headers alone, of a request with a body", func(t *testing.T) {
		for name, headers := range map[string]string{
			"with its length":    strings.Replace(request, "Content-Length: 0", "Content-Length: 10", 1),
			"without its length": strings.Replace(request, "Content-Length: 0\r\n", "", 1),
			"in chunks":          strings.Replace(request, "Content-Length: 0", "Transfer-Encoding: chunked", 1),
		} {
			headers = strings.Replace(headers, "1B2M2Y8AsgTpgAmY7PhCfg==", "XrY7u+Ae7tCTyyK7j1rNww==", 1)
			for message, want := range map[string]string{"Signature mismatch.": "none found", "Mismatch between MD5 value": "x-ots-contentmd5 is not its MD5"} {
				var out bytes.Buffer
				require.NoError(t, (&explain{Request: "-", Message: message}).Run(t.Context(), strings.NewReader(headers), &out), name)
				require.Contains(t, out.String(), want, name)
			}
		}
	})
	t.Run("what is no request", func(t *testing.T) {
		err := (&explain{Request: "-"}).Run(t.Context(), strings.NewReader("hunter2"), &bytes.Buffer{})
		require.ErrorContains(t, err, "not an HTTP request")
		require.NotContains(t, err.Error(), "hunter2")
	})
}

func newServer(t *testing.T) *otstest.Server {
	t.Helper()
	return otstest.NewServer(t, nil)
}
