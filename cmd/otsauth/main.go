// Command otsauth shows and checks how programs authenticate to Alibaba Cloud
// Tablestore. Run "otsauth --help" for what it can do.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"

	"github.com/alecthomas/kong"
)

// commandLine is what the arguments are parsed into.
type commandLine struct {
	Demo    demo    `cmd:"" help:"Run many requests through one client while its tokens expire, STS is down and a token is revoked; nothing leaves this machine."`
	Chain   chain   `cmd:"" help:"Ask the sources of the standard chain, in order, and say what each answers; no secret is shown."`
	Explain explain `cmd:"" help:"Say why the service answers \"Signature mismatch\" to a request."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var line commandLine
	k := kong.Parse(&line, kong.Name("otsauth"), kong.UsageOnError(),
		kong.Description("Credentials and signatures for Alibaba Cloud Tablestore."),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(os.Stdout, (*io.Writer)(nil)), kong.BindTo(os.Stdin, (*io.Reader)(nil)))
	k.FatalIfErrorf(k.Run())
}
