package otsauth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/otsauth/otsauth/internal/ini"
	"github.com/otsauth/otsauth/internal/redact"
)

const (
	defaultProfile = "default"
	maxProfileFile = 1 << 20 // bytes
)

// ProfileOptions are the options of [Profile]. Nil means all defaults.
type ProfileOptions struct {
	// Name is the profile. Empty: ALIBABA_CLOUD_PROFILE, else the one that the
	// configuration file says is current, else "default".
	Name string
	// ConfigFile is the configuration file of Alibaba Cloud's command line tool.
	// Empty: ALIBABA_CLOUD_CONFIG_FILE, else ~/.aliyun/config.json.
	ConfigFile string
	// CredentialsFile is the shared credentials file. Empty:
	// ALIBABA_CLOUD_CREDENTIALS_FILE, else ~/.alibabacloud/credentials.
	CredentialsFile string
	// HTTPClient is handed on to providers that a profile names: STS, ECS, URI.
	HTTPClient *http.Client
	// Logger gets a warning if a file with keys can be read by others. Nil:
	// nothing is logged.
	Logger *slog.Logger
}

// profileProvider is the provider that Profile returns.
type profileProvider struct {
	opts ProfileOptions

	mu     sync.Mutex // guards the fields below; not held while built runs
	digest [sha256.Size]byte
	built  Provider // what the profile in the files with that digest says
	warned map[string]bool
}

// Profile returns a [Provider] that does what a profile in the user's files
// says: the configuration file of Alibaba Cloud's command line tool, in the
// modes AK, StsToken, RamRoleArn, EcsRamRole, RamRoleArnWithRoleName, OIDC,
// ChainableRamRoleArn, External and CredentialsURI; or, where that file does not
// have the profile, the shared credentials file. The modes that need a browser
// (CloudSSO, OAuth) are refused with an error that says what to use instead.
//
// The files are read at each fetch and never written. Profile is not configured
// ([ErrNotConfigured]) if there is no file, or no profile was named and the file's
// own choice is empty and the shared file has no default; a choice that does not
// exist, and a profile whose own source is not set up on this machine, are errors
// that stop a chain. ALIBABA_CLOUD_CLI_PROFILE_DISABLED=true leaves the
// configuration file out; ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS=true refuses the
// modes External and CredentialsURI.
//
// A token in a file is somebody else's to renew: one without sts_expiration is used
// for a minute before the file is read again, and one that has expired is an error
// that matches [ErrExpired] and whose method Retryable says that waiting helps.
//
// Errors of Retrieve are a [*ProviderError] named "profile", and never quote a
// file's text. The provider is safe for concurrent use.
func Profile(opts *ProfileOptions) Provider {
	p := &profileProvider{warned: map[string]bool{}}
	if opts != nil {
		p.opts = *opts
	}
	if p.opts.Logger == nil {
		p.opts.Logger = slog.New(slog.DiscardHandler)
	}
	return p
}

// Format writes the provider's name: its fields may hold keys.
func (p *profileProvider) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("otsauth.Profile")) }

// Retrieve reads the files, and asks the provider that the profile describes.
func (p *profileProvider) Retrieve(ctx context.Context) (Credentials, error) {
	creds, err := p.retrieve(ctx)
	if err != nil {
		return Credentials{}, &ProviderError{Provider: "profile", Err: err}
	}
	creds.Source = "profile/" + creds.Source
	return creds, nil
}

func (p *profileProvider) retrieve(ctx context.Context) (Credentials, error) {
	if ctx == nil {
		return Credentials{}, errNilContext()
	}
	provider, err := p.provider(ctx)
	if err != nil {
		return Credentials{}, err
	}
	creds, err := retrieveFrom(ctx, provider)
	if errors.Is(err, ErrNotConfigured) {
		// The profile is set up, if what it names is not: a chain that moved on
		// would make the service somebody else.
		err = fmt.Errorf("what the profile names has no credentials: %s", trimPrefix(err))
	}
	return creds, err
}

// provider returns what the profile describes: the same one as long as the files
// do not change, so that what it has learned (a metadata token) is kept.
func (p *profileProvider) provider(ctx context.Context) (Provider, error) {
	profiles, chosen, err := p.find(ctx)
	if err != nil {
		return nil, err
	}
	// What is built follows from the profiles alone, and from one variable.
	text, err := json.Marshal(profiles)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(fmt.Appendf(text, "%q %t", chosen.Name, envTrue("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS")))

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.built != nil && digest == p.digest {
		return p.built, nil
	}
	b := profileBuilder{profiles: profiles, http: p.opts.HTTPClient}
	built, err := b.build(chosen)
	if err != nil {
		return nil, err
	}
	p.built, p.digest = built, digest
	return built, nil
}

// find reads the files and returns the chosen profile and the others of its file.
func (p *profileProvider) find(ctx context.Context) (profiles map[string]*cliProfile, chosen *cliProfile, err error) {
	config, err := p.readConfig(ctx)
	if err != nil {
		return nil, nil, err
	}
	return chooseProfile(firstOf(p.opts.Name, os.Getenv("ALIBABA_CLOUD_PROFILE")), config, func() ([]byte, error) {
		return p.read(ctx, firstOf(p.opts.CredentialsFile, os.Getenv("ALIBABA_CLOUD_CREDENTIALS_FILE")), ".alibabacloud", "credentials")
	})
}

// readConfig returns the configuration file's bytes, or nil if there is none, or it
// is to be left out.
func (p *profileProvider) readConfig(ctx context.Context) ([]byte, error) {
	if envTrue("ALIBABA_CLOUD_CLI_PROFILE_DISABLED") && p.opts.ConfigFile == "" {
		return nil, nil
	}
	return p.read(ctx, firstOf(p.opts.ConfigFile, os.Getenv("ALIBABA_CLOUD_CONFIG_FILE")), ".aliyun", "config.json")
}

// read returns a file's bytes, or nil if it is not there and nobody named it.
func (p *profileProvider) read(ctx context.Context, path string, home ...string) ([]byte, error) {
	named := path != ""
	if !named {
		dir, err := os.UserHomeDir()
		if err != nil {
			return nil, nil //nolint:nilerr // nobody's home has no file
		}
		path = filepath.Join(append([]string{dir}, home...)...)
	}
	data, mode, err := readFile(path, maxProfileFile)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return nil, nil
	case err != nil:
		return nil, err
	}
	p.warnIfReadable(ctx, path, mode)
	return data, nil
}

// warnIfReadable says once that others can read a file with keys.
func (p *profileProvider) warnIfReadable(ctx context.Context, path string, mode fs.FileMode) {
	if runtime.GOOS == "windows" || mode.Perm()&0o077 == 0 {
		return
	}
	p.mu.Lock()
	warned := p.warned[path]
	p.warned[path] = true
	p.mu.Unlock()
	if !warned {
		p.opts.Logger.WarnContext(ctx, "otsauth: a file with keys can be read by other users; make its mode 0600",
			"file", path, "mode", mode.Perm().String())
	}
}

// chooseProfile returns the profile called name and the others of its file. The
// shared credentials file is read only if the configuration file does not have the
// profile. If nobody named one it is what the configuration file says, or else the
// shared file's "default", as credentials-go has it.
func chooseProfile(name string, config []byte, readShared func() ([]byte, error)) (profiles map[string]*cliProfile, chosen *cliProfile, err error) {
	profiles, current, err := parseConfig(config)
	if err != nil {
		return nil, nil, err
	}
	current = firstOf(name, current, defaultProfile)
	found, exists := profiles[current]
	if exists && (name != "" || !found.isBlank()) {
		return profiles, found, nil
	}
	shared, err := readShared()
	if err != nil {
		return nil, nil, err
	}
	sections, err := parseShared(shared)
	if err != nil {
		return nil, nil, err
	}
	if found, ok := sections[firstOf(name, defaultProfile)]; ok && (name != "" || !found.isBlank()) {
		return sections, found, nil
	}
	switch {
	case config == nil && shared == nil:
		err = fmt.Errorf("%w: there is no ~/.aliyun/config.json and no ~/.alibabacloud/credentials", ErrNotConfigured)
	case name != "":
		err = fmt.Errorf("there is no profile %q in ~/.aliyun/config.json or ~/.alibabacloud/credentials", redact.Line(name, 60))
	case !exists && current != defaultProfile:
		// Somebody chose it: a chain that moved on would make the service somebody else.
		err = fmt.Errorf("the current profile %q of the configuration file does not exist; choose another one, as with \"aliyun configure switch\"", redact.Line(current, 60))
	default:
		err = fmt.Errorf("%w: no profile was named, and there is none called %q, or it is empty", ErrNotConfigured, redact.Line(current, 60))
	}
	return nil, nil, err
}

// parseConfig returns the profiles of a configuration file, and the one that it says
// is current.
func parseConfig(config []byte) (profiles map[string]*cliProfile, current string, err error) {
	if config == nil {
		return nil, "", nil
	}
	var file struct {
		Current  string        `json:"current"`
		Profiles []*cliProfile `json:"profiles"`
	}
	if json.Unmarshal(config, &file) != nil { // its error could quote the text
		return nil, "", errors.New("the configuration file is not the JSON of Alibaba Cloud's command line tool")
	}
	profiles = map[string]*cliProfile{}
	for _, p := range file.Profiles {
		if p != nil {
			profiles[p.Name] = p
		}
	}
	return profiles, file.Current, nil
}

// parseShared returns the profiles of a shared credentials file.
func parseShared(shared []byte) (map[string]*cliProfile, error) {
	sections, err := ini.Parse(string(shared))
	if err != nil {
		return nil, fmt.Errorf("the shared credentials file cannot be read: %w", err)
	}
	profiles := map[string]*cliProfile{}
	for name, section := range sections {
		profiles[name] = profileOfSection(name, section)
	}
	return profiles, nil
}
