package client

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/otsauth/otsauth"
)

const endpointExample = `"https://my-instance.cn-hangzhou.ots.aliyuncs.com"`

// parseEndpoint checks an endpoint and returns it without a path, and the
// instance that its host name begins with if the host is one of Tablestore's.
func parseEndpoint(endpoint string, insecureHTTP bool) (base *url.URL, instance string, err error) {
	wrong := func(format string, args ...any) (*url.URL, string, error) {
		return nil, "", &otsauth.ConfigError{Field: "endpoint", Problem: fmt.Sprintf(format, args...)}
	}
	if endpoint == "" {
		return wrong("is empty; it looks like %s", endpointExample)
	}
	if endpoint != strings.TrimSpace(endpoint) {
		return wrong("has white space around it; remove it")
	}
	// The text is not quoted where it could hold a password.
	u, err := url.Parse(endpoint)
	switch {
	case !strings.Contains(endpoint, "://"):
		return wrong("has no scheme; it looks like %s", endpointExample)
	case err != nil:
		return wrong("is not a URL; it looks like %s", endpointExample)
	case u.User != nil:
		return wrong("has a user name in it; credentials come from a provider")
	case u.Scheme != "https" && u.Scheme != "http":
		return wrong("uses the scheme %q; it must be https, as in %s", u.Scheme, endpointExample)
	case !isHost(u.Hostname()):
		return wrong("has no host name that can be; it looks like %s", endpointExample)
	case !isPort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		return wrong("has a port that is none; it is a number up to 65535")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return wrong("has something after the host; an endpoint ends there, as in %s", endpointExample)
	case u.Scheme == "http" && !insecureHTTP && !isLoopback(u.Hostname()):
		return wrong("uses http, which shows requests and tokens to the network; use https, or set InsecureHTTP inside a VPC that you trust")
	}
	base = &url.URL{Scheme: u.Scheme, Host: u.Host}
	if _, err := url.Parse(base.String()); err != nil { // an IPv6 zone can be read in a way it cannot be written in
		return wrong("is not a URL; it looks like %s", endpointExample)
	}
	return base, instanceOf(u.Hostname()), nil
}

// isHost reports whether host is an IP address or a host name.
func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(host) <= 253
}

// isPort reports whether port is a port's number, or not given.
func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// instanceOf returns the instance in one of Tablestore's host names:
// INSTANCE.REGION.ots.aliyuncs.com, .ots-internal.aliyuncs.com or
// .vpc.tablestore.aliyuncs.com. (Source: the documentation's endpoint page.)
func instanceOf(host string) string {
	host = strings.ToLower(host)
	name, rest, _ := strings.Cut(host, ".")
	for _, suffix := range []string{".ots.aliyuncs.com", ".ots-internal.aliyuncs.com", ".tablestore.aliyuncs.com"} {
		// Without an instance the name is the region's.
		if region, found := strings.CutSuffix(rest, suffix); found && region != "" && region != "vpc" {
			return name
		}
	}
	return ""
}

// isLoopback reports whether host names this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// chooseInstance returns the instance to name in requests.
func chooseInstance(given, fromHost string) (string, error) {
	switch {
	case given == "" && fromHost == "":
		return "", &otsauth.ConfigError{Field: "instance name", Problem: "is empty, and the endpoint's host does not begin with one"}
	case given == "":
		return fromHost, nil
	case fromHost != "" && !strings.EqualFold(given, fromHost):
		return "", &otsauth.ConfigError{Field: "instance name", Problem: fmt.Sprintf(
			"is %q, but the endpoint is that of %q; use the endpoint of the instance", given, fromHost)}
	}
	return given, nil
}
