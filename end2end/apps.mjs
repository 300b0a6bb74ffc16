// The applications that the tests deploy.

const dockerfile = (command) => `FROM busybox:latest
COPY index.html /www/index.html
EXPOSE 8080
CMD ${JSON.stringify(['sh', '-c', command])}
`;

/** Says who it is, serves index.html, and logs every request. */
export const SERVES = dockerfile('echo "I am $HOSTNAME"; exec httpd -f -vv -p 8080 -h /www');
/** The same, and counts aloud five times a second. */
export const COUNTS = dockerfile('httpd -f -p 8080 -h /www & n=0; while :; do n=$((n + 1)); echo "tick $n"; sleep 0.2; done');
/** Ends at once. */
export const EXITS = dockerfile('echo "the database is gone" >&2; exit 3');
