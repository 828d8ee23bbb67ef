// Package otsauth gets credentials for Alibaba Cloud Tablestore (OTS) and keeps
// them valid: build the client once, and no request fails because a token
// expired.
//
// Start with a [Provider]: [Env] reads keys from the environment, [AssumeRole]
// exchanges them for temporary ones of a role, [Chain] takes the first of
// several that is set up, and any function is one as a [ProviderFunc]. Package
// client takes a provider and does the rest:
//
//	role, err := otsauth.AssumeRole(otsauth.Env(nil), "acs:ram::123456789012:role/app", nil)
//	...
//	c, err := client.New("https://my-instance.cn-hangzhou.ots.aliyuncs.com", "my-instance", role, nil)
//	...
//	defer c.Close()
//
// A program that talks to Tablestore through another library wraps the provider
// in [NewCache] itself. The [Cache] refreshes in the background, goes on with
// the current credentials while their source is down, and shares one fetch
// among all callers.
//
// A [Secret] holds each key and token; nothing that prints, logs or encodes
// shows it. Errors compare with errors.Is and errors.As, name the provider they
// come from, and say what to do.
package otsauth
