// Command relying is the part of tenant.sh about tokens that is in Go: a machine that gets tokens with
// golang.org/x/oauth2, by its key and by its secret, and an API that believes tokens with
// github.com/coreos/go-oidc. It takes what it needs from the environment, as tenant.sh sets it.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/jwt"
)

func main() {
	if err := run(oidc.ClientContext(context.Background(), localhost())); err != nil { // the client of both libraries
		fmt.Fprintln(os.Stderr, "relying:", err)
		os.Exit(1)
	}
	fmt.Println("JWT profile, client credentials; protected calls, ID token, userinfo, JWKS")
}

// localhost returns a client for which names below localhost are this machine (RFC 6761 section 6.3), as for
// curl and browsers. With names of your own you do not need it.
func localhost() *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err == nil && strings.HasSuffix(host, ".localhost") {
			address = net.JoinHostPort("127.0.0.1", port)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 30 * time.Second}
}

func run(ctx context.Context) error {
	issuer, project := os.Getenv("ACME"), os.Getenv("SHOP")
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return err
	}
	scopes := []string{
		"profile", "urn:zitadel:iam:org:projects:roles", "urn:zitadel:iam:org:project:id:" + project + ":aud",
		"urn:zitadel:iam:org:project:id:zitadel:aud",
	}
	byKey, err := keyFile(os.Getenv("ROBOT_KEY"), provider.Endpoint().TokenURL, scopes)
	if err != nil {
		return err
	}
	bySecret := &clientcredentials.Config{
		ClientID: "robot", ClientSecret: os.Getenv("ROBOT_SECRET"), TokenURL: provider.Endpoint().TokenURL,
		Scopes: append(scopes, oidc.ScopeOpenID), // x/oauth2/jwt cannot read ID tokens with several audiences
	}
	for how, source := range map[string]oauth2.TokenSource{"a key": byKey.TokenSource(ctx), "a secret": bySecret.TokenSource(ctx)} {
		if err := check(ctx, provider, source); err != nil {
			return fmt.Errorf("with a token by %s: %w", how, err)
		}
	}
	return nil
}

// keyFile returns how tokens are had for the key file of a machine, in base64 as the API has given it out.
func keyFile(encoded, tokenURL string, scopes []string) (*jwt.Config, error) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, err
	}
	var file struct{ UserID, KeyID, Key string }
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	return &jwt.Config{
		Email: file.UserID, Subject: file.UserID, PrivateKey: []byte(file.Key), PrivateKeyID: file.KeyID,
		TokenURL: tokenURL, Scopes: scopes,
	}, nil
}

// check uses a token of the robot for all it is good for: the instance's own API, userinfo, and an API of the
// project.
func check(ctx context.Context, provider *oidc.Provider, source oauth2.TokenSource) error {
	token, err := source.Token()
	if err != nil {
		return err
	}
	answer, err := oauth2.NewClient(ctx, source).Get(os.Getenv("ACME") + "/auth/v1/users/me")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var me struct{ User struct{ ID, UserName string } }
	if err := json.NewDecoder(answer.Body).Decode(&me); err != nil || me.User.UserName != "robot" {
		return fmt.Errorf("the API answers %s %+v: %w", answer.Status, me, err)
	}
	info, err := provider.UserInfo(ctx, source)
	if err != nil {
		return err
	}
	told := make(map[string]any)
	if err := errors.Join(info.Claims(&told), roles(told)); err != nil || info.Subject != me.User.ID {
		return fmt.Errorf("userinfo tells %v: %w", told, err)
	}
	// An API of the project takes JWTs whose audience the project is.
	api := provider.Verifier(&oidc.Config{ClientID: os.Getenv("SHOP")})
	access, err := api.Verify(ctx, token.AccessToken)
	if err != nil {
		return fmt.Errorf("the access token: %w", err)
	}
	claims := make(map[string]any)
	if err := errors.Join(access.Claims(&claims), roles(claims)); err != nil || access.Subject != me.User.ID {
		return fmt.Errorf("the access token says %v: %w", claims, err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: "another project"}).Verify(ctx, token.AccessToken); err == nil {
		return errors.New("the access token is for every audience")
	}
	text, asked := token.Extra("id_token").(string)
	if !asked {
		return nil
	}
	id, err := provider.Verifier(&oidc.Config{ClientID: "robot"}).Verify(ctx, text)
	if err != nil {
		return fmt.Errorf("the ID token: %w", err)
	}
	return id.VerifyAccessToken(token.AccessToken)
}

// roles returns an error unless the claims have the roles that the robot holds on the project.
func roles(claims map[string]any) error {
	held, _ := claims["urn:zitadel:iam:org:project:"+os.Getenv("SHOP")+":roles"].(map[string]any)
	if held["reader"] == nil || held["writer"] == nil || len(held) != 2 {
		return fmt.Errorf("the roles are %v", held)
	}
	return nil
}
