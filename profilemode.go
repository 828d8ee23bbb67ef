package otsauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otsauth/otsauth/internal/redact"
)

// maxProfileDepth bounds a chain of source profiles.
const maxProfileDepth = 8

// cliProfile is one profile. (Source: config/profile.go of Alibaba Cloud's
// command line tool.)
type cliProfile struct {
	Name            string `json:"name"`
	Mode            string `json:"mode"`
	AccessKeyID     string `json:"access_key_id"`
	AccessKeySecret string `json:"access_key_secret"`
	STSToken        string `json:"sts_token"`
	STSExpiration   int64  `json:"sts_expiration"` // Unix seconds
	RoleARN         string `json:"ram_role_arn"`
	SessionName     string `json:"ram_session_name"`
	ExpiredSeconds  int    `json:"expired_seconds"`
	STSRegion       string `json:"sts_region"`
	EnableVPC       bool   `json:"enable_vpc"`
	Policy          string `json:"policy"`
	ExternalID      string `json:"external_id"`
	SourceProfile   string `json:"source_profile"`
	RoleName        string `json:"ram_role_name"`
	OIDCToken       string `json:"oidc_token"`
	OIDCTokenFile   string `json:"oidc_token_file"`
	OIDCProviderARN string `json:"oidc_provider_arn"`
	ProcessCommand  string `json:"process_command"`
	CredentialsURI  string `json:"credentials_uri"`
}

// isBlank reports whether the profile has a mode that needs keys, and none.
func (p *cliProfile) isBlank() bool {
	return p.AccessKeyID == "" && p.AccessKeySecret == "" && slices.Contains([]string{"", "ak"}, strings.ToLower(p.Mode)) && p.mode() == "ak"
}

// mode returns the mode in lower case; one that is not given follows from the
// fields that are.
func (p *cliProfile) mode() string {
	switch {
	case p.Mode != "":
		return strings.ToLower(p.Mode)
	case p.ProcessCommand != "":
		return "external"
	case p.CredentialsURI != "":
		return "credentialsuri"
	case p.OIDCProviderARN != "":
		return "oidc"
	case p.SourceProfile != "":
		return "chainableramrolearn"
	case p.RoleARN != "" && p.RoleName != "":
		return "ramrolearnwithrolename"
	case p.RoleARN != "":
		return "ramrolearn"
	case p.RoleName != "":
		return "ecsramrole"
	case p.STSToken != "":
		return "ststoken"
	}
	return "ak"
}

// profileOfSection turns a section of the shared credentials file into a
// profile. (Source: profile.go of credentials-go; oidc_role_arn as its README
// has it, credentials_uri and external as ack-ram-tool.)
func profileOfSection(name string, section map[string]string) *cliProfile {
	seconds, _ := strconv.Atoi(section["role_session_expiration"])
	modes := map[string]string{
		"access_key": "AK", "sts": "StsToken", "ecs_ram_role": "EcsRamRole", "ram_role_arn": "RamRoleArn",
		"oidc_role_arn": "OIDC", "credentials_uri": "CredentialsURI", "external": "External", "": "",
	}
	mode, known := modes[section["type"]]
	if !known {
		mode = section["type"]
	}
	return &cliProfile{
		Name:            name,
		Mode:            mode,
		AccessKeyID:     section["access_key_id"],
		AccessKeySecret: section["access_key_secret"],
		STSToken:        firstOf(section["sts_token"], section["security_token"]),
		RoleARN:         section["role_arn"],
		SessionName:     section["role_session_name"],
		ExpiredSeconds:  seconds,
		Policy:          section["policy"],
		RoleName:        section["role_name"],
		OIDCTokenFile:   section["oidc_token_file_path"],
		OIDCProviderARN: section["oidc_provider_arn"],
		CredentialsURI:  section["credentials_uri"],
		ProcessCommand:  section["process_command"],
	}
}

// profileBuilder turns profiles into providers.
type profileBuilder struct {
	profiles map[string]*cliProfile
	http     *http.Client
	path     []string // the profiles that led here
}

// build returns the provider that p describes.
func (b *profileBuilder) build(p *cliProfile) (Provider, error) {
	switch path := redact.Line(strings.Join(append(b.path, p.Name), " -> "), 300); {
	case slices.Contains(b.path, p.Name):
		return nil, fmt.Errorf("the profiles %s name each other in a circle; correct a source_profile", path)
	case len(b.path) == maxProfileDepth:
		return nil, fmt.Errorf("the profiles %s are more than %d deep; name the source of the keys directly", path, maxProfileDepth)
	}
	b.path = append(b.path, p.Name)
	provider, err := b.ofMode(p)
	if err != nil {
		return nil, fmt.Errorf("profile %q: %w", redact.Line(p.Name, 60), err)
	}
	return provider, nil
}

func (b *profileBuilder) ofMode(p *cliProfile) (Provider, error) {
	switch p.mode() {
	case "ak":
		return Static(p.keys("")), nil
	case "ststoken":
		return b.temporary(p)
	case "ramrolearn":
		return b.role(p, Static(p.keys(p.STSToken)))
	case "ecsramrole":
		return ECSRole(&ECSOptions{RoleName: p.RoleName, HTTPClient: b.http}), nil
	case "ramrolearnwithrolename":
		return b.role(p, ECSRole(&ECSOptions{RoleName: p.RoleName, HTTPClient: b.http}))
	case "chainableramrolearn":
		source, ok := b.profiles[p.SourceProfile]
		if !ok {
			return nil, fmt.Errorf("its source_profile %q does not exist", redact.Line(p.SourceProfile, 60))
		}
		provider, err := b.build(source)
		if err != nil {
			return nil, err
		}
		return b.role(p, provider)
	case "oidc":
		return b.oidc(p)
	case "external":
		argv, err := splitCommand(p.ProcessCommand)
		if err != nil {
			return nil, err
		}
		return Process(argv, nil)
	case "credentialsuri":
		if envTrue("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS") {
			return nil, errors.New("credentials URIs are forbidden by ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS")
		}
		return URI(p.CredentialsURI, &URIOptions{HTTPClient: b.http})
	case "cloudsso", "oauth":
		return nil, fmt.Errorf("the mode %s needs a browser; wrap credentials-go's provider instead, as package credentialsgo does", p.Mode)
	}
	return nil, fmt.Errorf("the mode %q is not supported; use one of AK, StsToken, RamRoleArn, EcsRamRole, RamRoleArnWithRoleName, OIDC, ChainableRamRoleArn, External, CredentialsURI", redact.Line(p.Mode, 40))
}

// keys returns the profile's own keys.
func (p *cliProfile) keys(token string) Credentials {
	return Credentials{
		AccessKeyID: p.AccessKeyID, AccessKeySecret: NewSecret(p.AccessKeySecret), SecurityToken: NewSecret(token), Source: "static",
	}
}

// temporary returns a token that somebody else renews in the file. It expires, or
// is looked up again, so that a cache has the file read.
func (b *profileBuilder) temporary(p *cliProfile) (Provider, error) {
	if p.STSToken == "" {
		return nil, &ConfigError{Field: "sts_token", Problem: "is empty, although the mode is StsToken"}
	}
	keys, expiration := p.keys(p.STSToken), p.STSExpiration
	return ProviderFunc(func(ctx context.Context) (Credentials, error) {
		c := keys
		c.Expires = time.Now().Round(0).Add(unknownLifetime)
		if expiration > 0 {
			c.Expires = time.Unix(expiration, 0)
		}
		if c.ExpiresWithin(0) {
			return Credentials{}, &ProviderError{Provider: c.Source, Err: expiredInFile{}}
		}
		return Static(c).Retrieve(ctx)
	}), nil
}

// expiredInFile says that the token in a file has expired, and nobody has renewed
// it yet.
type expiredInFile struct{}

// Error says what to do.
func (expiredInFile) Error() string {
	return ErrExpired.Error() + "; renew sts_token in the file, which is read again at each attempt"
}

// Unwrap returns [ErrExpired].
func (expiredInFile) Unwrap() error { return ErrExpired }

// Retryable returns true: whoever wrote the token can be about to write the next.
func (expiredInFile) Retryable() bool { return true }

func (b *profileBuilder) role(p *cliProfile, source Provider) (Provider, error) {
	return AssumeRole(source, p.RoleARN, &AssumeRoleOptions{
		SessionName: p.SessionName, Duration: time.Duration(p.ExpiredSeconds) * time.Second, Policy: p.Policy,
		ExternalID: p.ExternalID, Region: p.STSRegion, VPC: p.EnableVPC, HTTPClient: b.http,
	})
}

func (b *profileBuilder) oidc(p *cliProfile) (Provider, error) {
	token := FileToken(p.OIDCTokenFile)
	if p.OIDCToken != "" {
		token = fixedToken(p.OIDCToken)
	}
	return AssumeRoleWithOIDC(token, p.OIDCProviderARN, p.RoleARN, &OIDCOptions{
		SessionName: p.SessionName, Duration: time.Duration(p.ExpiredSeconds) * time.Second, Policy: p.Policy,
		Region: p.STSRegion, VPC: p.EnableVPC, HTTPClient: b.http,
	})
}

// splitCommand splits a command line into words as a POSIX shell does, with
// single and double quotes and the backslash, and nothing else of a shell.
func splitCommand(line string) ([]string, error) {
	var (
		words  []string
		word   strings.Builder
		inWord bool
		quote  rune
		escape bool
	)
	for _, c := range line {
		switch {
		case escape:
			if quote == '"' && c != '"' && c != '\\' && c != '$' && c != '`' {
				word.WriteByte('\\')
			}
			word.WriteRune(c)
			escape = false
		case c == '\\' && quote != '\'':
			escape, inWord = true, true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteRune(c)
			}
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if quote != 0 || escape {
		return nil, &ConfigError{Field: "process_command", Problem: "ends inside a quotation, or with a backslash"}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
