"""The HTML report: one self-contained page on a recording and its results.

`facts` collects the content, and `page` puts it into the page. The figures are drawn by Apache ECharts, which is
included unchanged in `page/`, with its licence.
"""
