package main

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"
)

const leeway = 10 * time.Second

var (
	errKey    = errors.New("unknown kid")
	errUse    = errors.New("not an access token")
	errClient = errors.New("not for this client")
)

// Claims are the claims of an access token that are read. ParseWithClaims calls Validate.
type Claims struct {
	jwt.RegisteredClaims
	ClientID string   `json:"client_id"`
	TokenUse string   `json:"token_use"`
	Scope    string   `json:"scope"`
	Groups   []string `json:"cognito:groups"`

	scopes []string
}

// verifier verifies tokens, and remembers the claims of those whose signature was good.
type verifier struct {
	keys    map[string]*rsa.PublicKey
	clients []string
	parser  *jwt.Parser
	known   *lru.Cache[string, *Claims]
}

func newVerifier(settings *Settings, size int) (*verifier, error) {
	keys, err := readKeys(settings.JwksFile)
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256"}),
		jwt.WithIssuer(settings.Issuer),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(leeway),
	)
	made := &verifier{keys: keys, clients: settings.ClientIDs, parser: parser}
	if size > 0 {
		made.known, err = lru.New[string, *Claims](size)
	}
	return made, err
}

// verify returns the claims of a good token. Time is checked for a known token too.
func (v *verifier) verify(token string) (*Claims, error) {
	if v.known != nil {
		if claims, found := v.known.Get(token); found {
			if !time.Now().Before(claims.ExpiresAt.Add(leeway)) {
				return nil, jwt.ErrTokenExpired
			}
			return claims, nil
		}
	}
	claims := &Claims{}
	if _, err := v.parser.ParseWithClaims(token, claims, v.key); err != nil {
		return nil, err
	}
	if claims.TokenUse != "access" {
		return nil, errUse
	}
	if !slices.Contains(v.clients, claims.ClientID) {
		return nil, errClient
	}
	claims.scopes = strings.Fields(claims.Scope)
	if v.known != nil {
		v.known.Add(token, claims)
	}
	return claims, nil
}

func (v *verifier) key(token *jwt.Token) (any, error) {
	id, _ := token.Header["kid"].(string)
	if key, found := v.keys[id]; found {
		return key, nil
	}
	return nil, errKey
}

func readKeys(path string) (map[string]*rsa.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var document struct {
		Keys []struct{ Kid, Kty, N, E string }
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	keys := map[string]*rsa.PublicKey{}
	for _, each := range document.Keys {
		n, err := base64.RawURLEncoding.DecodeString(each.N)
		if err != nil || each.Kty != "RSA" {
			return nil, fmt.Errorf("%s: key %q is not an RSA key", path, each.Kid)
		}
		e, err := base64.RawURLEncoding.DecodeString(each.E)
		if err != nil {
			return nil, fmt.Errorf("%s: key %q has no exponent", path, each.Kid)
		}
		keys[each.Kid] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	}
	return keys, nil
}
