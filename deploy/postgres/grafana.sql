-- For psql, as the owner of the tables: a role that reads what Grafana shows and changes nothing. Safe to run again.
-- Its password is that of the environment, GRAFANA_DB_PASSWORD; its name `grafana`, unless psql is told `-v role=…`.
\getenv password GRAFANA_DB_PASSWORD
\if :{?role}
\else
  \set role grafana
\endif

select format('create role %I', :'role') where not exists (select from pg_roles where rolname = :'role') \gexec
alter role :"role" with login nosuperuser nocreatedb nocreaterole password :'password' connection limit 20;
alter role :"role" set default_transaction_read_only = on;
alter role :"role" set statement_timeout = '30s';
alter role :"role" set timezone = 'UTC';
alter role :"role" set jit = off;

grant usage on schema public to :"role";
grant select on all tables in schema public to :"role";
alter default privileges in schema public grant select on tables to :"role";

-- Hashes of keys, and bodies as upstreams sent them, are nobody's business.
revoke select on api_key, raw_body from :"role";
