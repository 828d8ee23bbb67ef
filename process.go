package otsauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/otsauth/otsauth/internal/redact"
)

const (
	processTimeout  = time.Minute     // as credentials-go
	processGrace    = 3 * time.Second // for pipes that grandchildren hold open, also on a machine that is overloaded
	maxProcessError = 4 << 10         // bytes of stderr

	// unknownLifetime is how long a token without an expiration, of a program or
	// a profile, is used before the source is asked again.
	unknownLifetime = time.Minute
)

// ProcessOptions are the options of [Process]. Nil means all defaults.
type ProcessOptions struct {
	// Timeout bounds one run; the command, and on Unix all that it started, is killed
	// then. Zero or less: 1 minute. A [Cache] bounds it as well, by 90 seconds if its
	// own Timeout is not set.
	Timeout time.Duration
}

// process is the provider that Process returns.
type process struct {
	argv    []string
	timeout time.Duration
}

// Process returns a [Provider] that runs a program and reads the credentials
// that it prints as JSON: the keys mode ("AK" or "StsToken"), access_key_id,
// access_key_secret, sts_token and expiration, as the command line tool of
// Alibaba Cloud takes them, or AccessKeyId, AccessKeySecret, SecurityToken and
// Expiration, as the OSS SDK does. A token without an expiration is used for a
// minute.
//
// The program is started with its arguments as they are, without a shell, with
// this process's environment and no standard input. At most 64 KiB of its output
// are read. If it fails, the error shows the end of what it wrote to standard
// error, with everything that looks like a key masked.
// ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS=true makes Retrieve fail without running
// anything. Errors of Retrieve are a [*ProviderError] named "process"; Process
// itself returns a [*ConfigError] for an empty command. The provider is safe for
// concurrent use.
func Process(argv []string, opts *ProcessOptions) (Provider, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, &ConfigError{Field: "command", Problem: "is empty; pass the program and its arguments"}
	}
	p := &process{argv: append([]string(nil), argv...), timeout: processTimeout}
	if opts != nil && opts.Timeout > 0 {
		p.timeout = opts.Timeout
	}
	return p, nil
}

// Format writes the program's name without its arguments, which may hold keys.
func (p *process) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "otsauth.Process{%s}", p.argv[0])
}

// Retrieve runs the program once.
func (p *process) Retrieve(ctx context.Context) (Credentials, error) {
	creds, err := p.retrieve(ctx)
	if err != nil {
		return Credentials{}, &ProviderError{Provider: "process", Err: err}
	}
	creds.Source = "process"
	return creds, nil
}

func (p *process) retrieve(ctx context.Context) (Credentials, error) {
	if ctx == nil {
		return Credentials{}, errNilContext()
	}
	if envTrue("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS") {
		return Credentials{}, errors.New("external programs are forbidden by ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS")
	}
	output, err := p.run(ctx)
	if err != nil {
		return Credentials{}, fmt.Errorf("%s: %w", p.argv[0], err)
	}
	creds, err := parseProcessOutput(output, time.Now())
	if err != nil {
		return Credentials{}, fmt.Errorf("%s: its output: %w", p.argv[0], err)
	}
	return creds, nil
}

// run returns what the program prints.
func (p *process) run(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	stdout, stderr := &boundedBuffer{limit: maxSourceResponse}, &boundedBuffer{limit: maxProcessError, keepEnd: true}
	command := exec.CommandContext(ctx, p.argv[0], p.argv[1:]...) //nolint:gosec // to run the user's program is the purpose
	command.Stdout, command.Stderr = stdout, stderr
	command.WaitDelay = processGrace
	killGroup(command)
	err := command.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		// It ended well and left something behind that holds its output open.
		_ = command.Cancel()
		err = nil
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("was killed: %w", context.Cause(ctx))
	case err != nil:
		if text := strings.TrimSpace(redact.Line(maskSecrets(stderr.kept.String()), maxProcessError)); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		}
		return nil, err
	case stdout.overflow:
		return nil, fmt.Errorf("prints more than %d bytes", maxSourceResponse)
	}
	return stdout.kept.Bytes(), nil
}

// processOutput takes both spellings.
type processOutput struct {
	Mode            string `json:"mode"`
	AccessKeyID1    string `json:"access_key_id"`
	AccessKeySecret string `json:"access_key_secret"`
	STSToken        string `json:"sts_token"`
	Expiration1     string `json:"expiration"`
	AccessKeyID2    string `json:"AccessKeyId"`
	Secret2         string `json:"AccessKeySecret"`
	SecurityToken   string `json:"SecurityToken"`
}

// parseProcessOutput reads the credentials that a program printed.
func parseProcessOutput(output []byte, now time.Time) (Credentials, error) {
	var o processOutput
	if json.Unmarshal(output, &o) != nil {
		return Credentials{}, fmt.Errorf("%d bytes are not JSON with credentials", len(output))
	}
	token := firstOf(o.STSToken, o.SecurityToken)
	creds := Credentials{
		AccessKeyID:     firstOf(o.AccessKeyID1, o.AccessKeyID2),
		AccessKeySecret: NewSecret(firstOf(o.AccessKeySecret, o.Secret2)),
		SecurityToken:   NewSecret(token),
	}
	switch {
	case strings.EqualFold(o.Mode, "AK"):
		creds.SecurityToken = Secret{}
	case strings.EqualFold(o.Mode, "StsToken"):
		if token == "" {
			return Credentials{}, &ConfigError{Field: "security token", Problem: "is missing"}
		}
	case o.Mode != "":
		return Credentials{}, &ConfigError{Field: "mode", Problem: fmt.Sprintf("is %q; it must be AK or StsToken", redact.Line(o.Mode, 40))}
	}
	if o.Expiration1 != "" {
		expires, err := time.Parse(time.RFC3339, o.Expiration1)
		if err != nil {
			return Credentials{}, &ConfigError{Field: "expiration", Problem: `is not a time such as "2026-01-02T15:04:05Z"`}
		}
		creds.Expires = expires
	} else if !creds.SecurityToken.IsZero() {
		creds.Expires = now.Add(unknownLifetime)
	}
	return creds, checkFresh(creds, now)
}

// firstOf returns the first text that is not empty.
func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// maskSecrets masks what looks like a key or token: lines that a long one was broken
// into, what a name such as "token" introduces, however short, and any run of 16 or
// more of the characters that keys consist of, also escaped. Better too much than a
// part of a key.
func maskSecrets(text string) string {
	const char = `[A-Za-z0-9+/=._%:~\\\-]`
	for _, rule := range []struct{ secret, mask string }{
		{`(?m)^` + char + `{8,}\r?(\n` + char + `+\r?)+$`, redact.Mask},
		{`(?i)((?:secret|token|key|password)\w*[\\"']*\s*[:=][\\"'\s]*)[^\s"',;}]+`, "${1}" + redact.Mask},
		{`(?i)((?:secret|token|key|password)[\\"']*\s+[\\"']*)[^\s"',;}]*[0-9][^\s"',;}]*`, "${1}" + redact.Mask},
		{char + `{16,}`, redact.Mask},
	} {
		text = regexp.MustCompile(rule.secret).ReplaceAllString(text, rule.mask)
	}
	return text
}

// boundedBuffer keeps the first or the last limit bytes that are written. It
// does not embed its buffer, whose ReadFrom would go around Write.
type boundedBuffer struct {
	kept     bytes.Buffer
	limit    int
	keepEnd  bool
	overflow bool
}

// Write never fails: a program must not be stopped by what it says too much.
func (b *boundedBuffer) Write(data []byte) (int, error) {
	n := len(data)
	if b.keepEnd {
		_, _ = b.kept.Write(data[max(0, n-b.limit):])
		b.kept.Next(max(0, b.kept.Len()-b.limit))
		return n, nil
	}
	if room := b.limit - b.kept.Len(); n > room {
		b.overflow = true
		data = data[:room]
	}
	_, _ = b.kept.Write(data)
	return n, nil
}
