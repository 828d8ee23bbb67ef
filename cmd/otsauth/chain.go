package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/otsauth/otsauth"
)

// chain is the command "chain".
type chain struct {
	Timeout time.Duration `default:"30s" help:"How long to wait for the sources, all together."`
}

// Run is called by kong. Its error is that no source has credentials.
func (c *chain) Run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	steps := otsauth.DefaultChain().Explain(ctx)
	var last error
	for _, step := range steps {
		switch last = step.Err; {
		case last == nil:
			expires := "do not expire"
			if !step.Credentials.Expires.IsZero() {
				expires = "expire at " + step.Credentials.Expires.Format(time.RFC3339)
			}
			fmt.Fprintf(out, "%-8s has credentials: AccessKey ID %s, from %s, %s\n", "+", step.Credentials.AccessKeyID, step.Credentials.Source, expires)
		case errors.Is(last, otsauth.ErrNotConfigured):
			fmt.Fprintf(out, "%-8s %v\n", "-", last)
		default:
			fmt.Fprintf(out, "%-8s %v\n", "failed", last)
		}
	}
	if errors.Is(last, otsauth.ErrNotConfigured) {
		return errors.New("no source of the standard chain is set up")
	}
	return last
}
