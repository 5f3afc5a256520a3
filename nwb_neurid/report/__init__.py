"""The HTML report: one self-contained page on a recording and its results.

`facts` gathers what the page shows, `page` puts it into the page. The library that draws is Apache ECharts, vendored
unchanged in `page/` with its licence.
"""
