// A front of a master that verifies client certificates like a master written in Go: those that are given, against the file of
// CAs, or against the CAs of the machine if no file is named. Agent sockets need a certificate.
// Arguments: certificate file, key file, file of client CAs or "", URL of the master behind it. Writes its port as a line, and
// serves until it is killed.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	pair, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
	check(err)
	config := &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS12,
		ClientAuth:   tls.VerifyClientCertIfGiven,
	}
	if os.Args[3] != "" {
		text, err := os.ReadFile(os.Args[3])
		check(err)
		config.ClientCAs = x509.NewCertPool()
		// A file without certificates gives an empty list, with which every given certificate is refused.
		config.ClientCAs.AppendCertsFromPEM(text)
	}
	master, err := url.Parse(os.Args[4])
	check(err)
	proxy := httputil.NewSingleHostReverseProxy(master)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	check(err)
	fmt.Println(listener.Addr().String())
	check(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/agents" && len(r.TLS.PeerCertificates) == 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"message":"Forbidden"}`)
			return
		}
		proxy.ServeHTTP(w, r)
	})))
}
