# PostgreSQL with idemstore. BASE is an image of Debian's packages of PostgreSQL,
# as postgres:17 is, with the version in PG_MAJOR.
#
#	docker build --tag idemstore .                      the server
#	docker build --tag idemstore --target cron .        with pg_cron
#	docker build --tag idemstore --target extension .   the extension's files alone
#
ARG BASE=postgres:17

FROM ${BASE} AS build
RUN apt-get update && apt-get install --yes --no-install-recommends \
	gcc libc6-dev make "postgresql-server-dev-$PG_MAJOR"
WORKDIR /idemstore
COPY . .
RUN make install with_llvm=no "PG_CONFIG=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" \
		pkglibdir=/extension/lib datadir=/extension/share && \
	install -D --mode=644 LICENSE /extension/licenses/idemstore/LICENSE

FROM scratch AS extension
COPY --from=build /extension/ /

FROM ${BASE} AS server
COPY --from=build /extension/lib/ /usr/lib/postgresql/${PG_MAJOR}/lib/
COPY --from=build /extension/share/ /usr/share/postgresql/${PG_MAJOR}/
COPY --from=build /extension/licenses/ /usr/share/doc/

FROM server AS cron
RUN apt-get update && apt-get install --yes --no-install-recommends "postgresql-$PG_MAJOR-cron" && \
	rm -rf /var/lib/apt/lists/*

FROM server
