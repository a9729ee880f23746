-- Which goals have cells: rows of the cells' tables of the dimension `event:goal`, whose value is
-- the goal's key (analytics/store/sql/cells.py).

-- They are true for every day (of `timezone`) that began at `since` or later and ended by `until`.
-- `follows_visits`: whether an event reaches the goal by what else its visit did.
CREATE TABLE goal_cells (
    site VARCHAR NOT NULL,
    goal VARCHAR NOT NULL,
    timezone VARCHAR NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    follows_visits BOOLEAN NOT NULL,
    PRIMARY KEY (site, goal)
);
