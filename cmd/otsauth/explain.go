package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/signer"
)

// maxRequest bounds the request that explain reads, in bytes.
const maxRequest = 64 << 20

// explain is the command "explain".
type explain struct {
	Request   string    `arg:"" default:"-" help:"File with the HTTP request as it went over the wire: request line, headers, an empty line, body. Default: standard input."`
	Service   string    `type:"existingfile" help:"File with the string-to-sign that the service made."`
	Message   string    `help:"Message of the service's error, as in \"Signature mismatch.\"."`
	Time      time.Time `help:"The service's clock: the x-ots-date of its answer, as in 2026-01-02T15:04:05Z."`
	RequireV4 bool      `name:"require-v4" help:"The service takes V4 signatures only."`
	Check     bool      `help:"Compute the signature again, with the key in the environment."`
}

// Run is called by kong.
func (e *explain) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	req, body, whole, err := e.read(in)
	if err != nil {
		return err
	}
	opts := &signer.ExplainOptions{ServerMessage: e.Message, ServerTime: e.Time, BodyUnknown: !whole}
	if e.RequireV4 {
		opts.ServerVersion = signer.V4
	}
	if e.Service != "" {
		text, err := os.ReadFile(e.Service)
		if err != nil {
			return err
		}
		opts.ServerStringToSign = string(text)
	}
	if e.Check {
		if opts.Credentials, err = otsauth.Env(nil).Retrieve(ctx); err != nil {
			return err
		}
	}
	explanation, err := signer.Explain(req, body, opts)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, explanation)
	return err
}

// read parses the request. Its body may be missing, as where only the headers
// were logged, or be cut off; it is not whole then.
func (e *explain) read(in io.Reader) (req *http.Request, body []byte, whole bool, err error) {
	if e.Request != "-" {
		f, err := os.Open(e.Request)
		if err != nil {
			return nil, nil, false, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxRequest))
	if err != nil {
		return nil, nil, false, err
	}
	req, err = http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
	if err != nil { // its text could quote a header
		return nil, nil, false, errors.New(`this is not an HTTP request: it begins with a line such as "POST /GetRow HTTP/1.1", then headers and an empty line`)
	}
	body, err = io.ReadAll(req.Body)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return req, body, false, nil
	}
	sized := req.Header.Get("Content-Length") != "" || req.TransferEncoding != nil
	return req, body, sized, err
}
