package signer

import (
	"crypto/hmac"
	"crypto/md5" // x-ots-contentmd5 is the wire format
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/otsauth/otsauth"
)

// ExplainOptions are what is known beside the request. Nil, and each zero
// field: nothing is.
type ExplainOptions struct {
	// Credentials are those that should have signed. Set them to have the
	// signature computed again and the secret looked at for white space.
	Credentials otsauth.Credentials
	// ServerStringToSign is what the service signed, also as a log has it: with
	// line ends of another kind or written out as \n, or in quotation marks. With
	// V4 the "ots" at its end may be there or not, and its security token may be
	// masked.
	ServerStringToSign string
	// ServerMessage is the message of the service's error.
	ServerMessage string
	// ServerTime is the service's clock: the x-ots-date of its answer.
	ServerTime time.Time
	// ServerVersion is the signature version that the service demands.
	ServerVersion Version
	// BodyUnknown says that the body given is not all that was sent. Set it where
	// only the headers were logged: the body's digest is then not looked at.
	BodyUnknown bool
}

// An Explanation says what a request is signed over and, as far as that shows,
// why the service refuses it. It holds no secret, token or signature.
type Explanation struct {
	// Version is the request's signature version; 0: it is not signed.
	Version Version
	// StringToSign is what the signature is over, the security token masked.
	StringToSign string
	// Difference is where the service's string-to-sign begins to differ; nil:
	// it does not, or is not known.
	Difference *Difference
	// Causes are the likely causes in words, the likeliest first, each with
	// what to do. Empty: nothing is wrong with the request as far as it shows.
	Causes []string
}

// Explain says what req, sent with body, is signed over and looks for what is
// wrong with it. It changes nothing and sends nothing. The error is a
// [*otsauth.ConfigError] for a nil request.
func Explain(req *http.Request, body []byte, opts *ExplainOptions) (*Explanation, error) {
	if req == nil || req.URL == nil {
		return nil, &otsauth.ConfigError{Field: "request", Problem: "or its URL is nil"}
	}
	if opts == nil {
		opts = &ExplainOptions{}
	}
	x := &explainer{req: req, body: body, known: opts}
	x.text = StringToSign(method(req), req.URL.Path, req.Header)
	switch {
	case x.header(headerSignatureV4) != "":
		x.version = V4
	case x.header(headerSignatureV2) != "":
		x.version = V2
	}
	mask := newMasker(req.Header, opts.Credentials)
	if opts.ServerStringToSign != "" {
		x.difference = firstDifference(x.text, opts.ServerStringToSign, mask)
	}
	e := &Explanation{Version: x.version, StringToSign: mask.text(x.text), Difference: x.difference}
	for _, look := range []func() string{
		x.unsigned, x.wrongVersion, x.changedBody, x.clock, x.signDay, x.changed, x.wrongPath, x.wrongInstance,
		x.wrongRegion, x.wrongKey, x.whiteSpace, x.wrongSignature, x.wrongSecret,
	} {
		if cause := look(); cause != "" {
			e.Causes = append(e.Causes, cause)
		}
	}
	return e, nil
}

// String returns the whole explanation as text of several lines.
func (e *Explanation) String() string {
	var b strings.Builder
	if e.Version == 0 {
		b.WriteString("signature: none\n")
	} else {
		fmt.Fprintf(&b, "signature: V%d\n", e.Version)
	}
	b.WriteString("string-to-sign:\n")
	for text := range strings.Lines(e.StringToSign) {
		if text != "\n" {
			text = "  " + text
		}
		b.WriteString(text)
	}
	if d := e.Difference; d != nil {
		fmt.Fprintf(&b, "first difference: %s, at byte %d\n  sent:     %s\n  received: %s\n", d.Part, d.Offset, d.Sent, d.Received)
	}
	if len(e.Causes) == 0 {
		b.WriteString("likely cause: none found\n")
		return b.String()
	}
	b.WriteString("likely cause:\n")
	for _, cause := range e.Causes {
		b.WriteString("  - " + cause + "\n")
	}
	return b.String()
}

// explainer looks for causes. Each of its methods from unsigned on returns one
// in words, or "".
type explainer struct {
	req        *http.Request
	body       []byte
	known      *ExplainOptions
	version    Version
	text       string
	difference *Difference
}

func (x *explainer) header(name string) string { return x.req.Header.Get(name) }

// says reports whether the service's message has one of the texts in it.
func (x *explainer) says(texts ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(x.known.ServerMessage, text) })
}

func (x *explainer) unsigned() string {
	switch {
	case x.version == 0:
		return "the request is not signed: it has neither x-ots-signature nor x-ots-signaturev4; call Sign last, after all headers are set"
	case x.version == V4 && x.header(headerSignatureV2) != "":
		return "the request has both signatures; remove x-ots-signature"
	}
	return ""
}

func (x *explainer) wrongVersion() string {
	if want := x.known.ServerVersion; want != 0 && x.version != 0 && x.version != want {
		hint := "set the Region option, which chooses V4"
		if want == V2 {
			hint = "leave the Region option empty, which chooses V2"
		}
		return fmt.Sprintf("the request is signed with V%d, and the service demands V%d; %s", x.version, want, hint)
	}
	return ""
}

func (x *explainer) changedBody() string {
	sum := md5.Sum(x.body)
	got := x.header(headerContentMD5)
	if got == "" {
		return "x-ots-contentmd5 is missing: the request was not signed by Sign, or a proxy removed the header"
	}
	differs := !x.known.BodyUnknown && got != base64.StdEncoding.EncodeToString(sum[:])
	if !differs && !x.says("Mismatch between MD5") {
		return ""
	}
	digest := "its MD5"
	if differs {
		digest = fmt.Sprintf("the MD5 of these %d bytes", len(x.body))
	}
	return "the body changed after it was signed: x-ots-contentmd5 is not " + digest + "; look for a proxy or a middleware that encodes bodies"
}

func (x *explainer) clock() string {
	sent, err := time.Parse(time.RFC3339, x.header(headerDate))
	switch server := x.known.ServerTime; {
	case err != nil:
		return `x-ots-date is not a date; it looks like "2026-01-31T08:30:00.000Z"`
	case !server.IsZero() && server.Sub(sent).Abs() > maxDateDifference:
		way := "behind"
		if sent.After(server) {
			way = "ahead of"
		}
		return fmt.Sprintf("this machine's clock is %s %s the service's, which accepts 15 minutes; set the clock", server.Sub(sent).Abs().Round(time.Second), way)
	case x.says("Mismatch between system time"):
		return "this machine's clock is more than 15 minutes off the service's; set the clock"
	}
	return ""
}

func (x *explainer) signDay() string {
	if day := x.header(headerSignDate); x.version == V4 && !sameDay(day, x.header(headerDate)) {
		return fmt.Sprintf("x-ots-signdate is %q, which is not the day of x-ots-date; derive the key anew each UTC day", day)
	}
	return ""
}

func (x *explainer) changed() string {
	d := x.difference
	switch {
	case d == nil:
		return ""
	case d.Part == "path":
		return "the path was changed on the way, or the endpoint ends in a slash; compare the two lines"
	case d.Part == "method":
		return "the method was changed on the way; a client that follows a redirect turns POST into GET"
	case d.Received == "":
		return fmt.Sprintf("the service did not get %s as it was signed; look for a proxy that drops it", d.Part)
	case d.Sent == "":
		return fmt.Sprintf("%s was added after the request was signed; look for a proxy, or a middleware behind the signer", d.Part)
	case strings.Join(strings.Fields(d.Sent), "") == strings.Join(strings.Fields(d.Received), ""):
		return fmt.Sprintf("white space in %s was changed on the way; send a value without any", d.Part)
	}
	return fmt.Sprintf("%s was changed after the request was signed; look for a proxy, or a middleware behind the signer", d.Part)
}

func (x *explainer) wrongPath() string {
	if !isAction(x.req.URL.Path) {
		return fmt.Sprintf("the path %q is not one slash and an action; look for a slash at the end of the endpoint", x.req.URL.Path)
	}
	return ""
}

func (x *explainer) wrongInstance() string {
	name, region := instanceAndRegion(x.req.URL.Hostname())
	sent := x.header(headerInstanceName)
	switch {
	case region != "" && !strings.EqualFold(name, sent):
		return fmt.Sprintf("the request is for instance %q, and its host is that of %q; make the two agree", sent, name)
	case x.says("instance is not found", "instance does not exist", "instance is not running", "Invalid instance name"):
		return fmt.Sprintf("the service has no running instance %q at this host; check the name, the region in the host, and the account", sent)
	}
	return ""
}

func (x *explainer) wrongRegion() string {
	_, region := instanceAndRegion(x.req.URL.Hostname())
	if sent := x.header(headerSignRegion); x.version == V4 && region != "" && region != sent {
		return fmt.Sprintf("the request is signed for region %q, and its host is in %q; set the Region option to that", sent, region)
	}
	return ""
}

func (x *explainer) wrongKey() string {
	id, token := x.header(headerAccessKeyID), x.header(headerSTSToken)
	switch known := x.known.Credentials; {
	case known.AccessKeyID != "" && known.AccessKeyID != id:
		return fmt.Sprintf("the request was signed with AccessKey ID %q, not with %q", id, known.AccessKeyID)
	case strings.HasPrefix(id, "STS.") && token == "":
		return "the AccessKey ID is a temporary one, and the request has no security token; send x-ots-ststoken with it"
	case known.AccessKeyID != "" && token != known.SecurityToken.Reveal():
		return "the security token is not the one that belongs to the AccessKey ID; keep the three of one set together"
	case x.says("AccessKeyID does not exist", "AccessKey ID does not exist", "AccessKeyID is disabled", "user does not exist", "user is disabled"):
		return fmt.Sprintf("the service does not know AccessKey ID %q, or it is disabled; check it in the RAM console", id)
	}
	return ""
}

func (x *explainer) whiteSpace() string {
	if x.known.Credentials.AccessKeyID == "" {
		return ""
	}
	if err := x.known.Credentials.Validate(); err != nil {
		return "the " + strings.TrimPrefix(err.Error(), "otsauth: ")
	}
	return ""
}

// wrongSignature computes the signature again.
func (x *explainer) wrongSignature() string {
	if x.version == 0 || x.known.Credentials.AccessKeySecret.IsZero() || x.signedBy(x.known.Credentials) {
		return ""
	}
	return "the signature is not the one of these headers with this secret: a header was changed after it was made, or it was made with another secret"
}

func (x *explainer) signedBy(c otsauth.Credentials) bool {
	keys := newKeys(&c)
	pool, salt, got := &keys.v2, "", x.header(headerSignatureV2)
	if x.version == V4 {
		pool, salt, got = &keys.signed(x.header(headerSignDate), x.header(headerSignRegion)).request, v4Salt, x.header(headerSignatureV4)
	}
	work := pool.get()
	work.text = append(append(work.text, x.text...), salt...)
	return hmac.Equal(work.sign(work.text), []byte(got))
}

// wrongSecret is what is left when both sides sign the same text.
func (x *explainer) wrongSecret() string {
	mismatch := x.says("Signature mismatch")
	otherwise := x.known.ServerMessage != "" && !mismatch // refused for another reason
	if x.version == 0 || x.difference != nil || otherwise {
		return ""
	}
	proven := x.signedBy(x.known.Credentials)
	unknown := x.known.Credentials.AccessKeySecret.IsZero()
	if x.known.ServerStringToSign != "" && (proven || unknown) || mismatch && proven {
		return "both sides sign the same text and get different signatures, so the service has another secret for this AccessKey ID; " +
			"look for a secret that was cut off, has white space in it, or belongs to another ID"
	}
	return ""
}

// instanceAndRegion returns the two that begin one of Tablestore's host names,
// or nothing for any other host.
func instanceAndRegion(host string) (instance, region string) {
	labels := strings.Split(strings.ToLower(host), ".")
	n := len(labels)
	if n < 5 || labels[n-2] != "aliyuncs" || !strings.HasPrefix(labels[2], "ots") && labels[n-3] != "tablestore" {
		return "", ""
	}
	return labels[0], labels[1]
}
