package proxy_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth/internal/proxy"
)

func TestAProxyThatDoesNotConnectSaysWhatToDo(t *testing.T) {
	for status, want := range map[int]struct{ text, step string }{
		http.StatusOK:                {"", ""},
		http.StatusProxyAuthRequired: {"the proxy refused to connect: 407 Proxy Authentication Required", "check HTTPS_PROXY"},
		http.StatusForbidden:         {"the proxy refused to connect: 403 Forbidden", "what the proxy allows"},
		http.StatusBadGateway:        {"the proxy refused to connect: 502 Bad Gateway", ""},
	} {
		err := proxy.Check(t.Context(), nil, nil, &http.Response{StatusCode: status, Status: "what the proxy wrote"})
		if want.text == "" {
			require.NoError(t, err)
			continue
		}
		var refusal *proxy.Refusal
		require.ErrorAs(t, err, &refusal)
		require.EqualError(t, err, want.text)
		require.Contains(t, refusal.NextStep(), want.step)
		require.Equal(t, want.step == "", refusal.NextStep() == "")
	}
}
